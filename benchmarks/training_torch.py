"""A `conv_lstm` in plain PyTorch, and a contender of `benchmarks/training.py` that trains it.

The layers, their order and their mathematics are those of `tfrnnc.models.ConvLSTM`, as one writes
them in PyTorch; the weights can be copied from there. It needs PyTorch and NumPy only, and runs in
an environment of its own.
"""

from __future__ import annotations

import json
import re
import sys
import time

started = time.perf_counter()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from training_protocol import answer_questions, peak_memory, time_batches  # noqa: E402

SCALE = 0.9  # of the pixels


def same_padding(x, kernel_size: int, strides: int):
    """TensorFlow's "same" padding: the smaller half before."""
    height, width = x.shape[-2:]
    totals = [
        max((-(-side // strides) - 1) * strides + kernel_size - side, 0) for side in (width, height)
    ]
    return nn.functional.pad(
        x, [pad for total in totals for pad in (total // 2, total - total // 2)]
    )


class Conv(nn.Module):
    """A convolution with "same" padding, and tanh."""

    def __init__(self, channels, filters, kernel_size, strides, linear):
        super().__init__()
        self.kernel_size, self.strides, self.linear = kernel_size, strides, linear
        # Even padding is the convolution's own, which is faster.
        self.padding = kernel_size // 2 if strides == 1 else 0
        self.conv = nn.Conv2d(channels, filters, kernel_size, strides, self.padding)

    def forward(self, x):
        if not self.padding:
            x = same_padding(x, self.kernel_size, self.strides)
        x = self.conv(x)
        return x if self.linear else torch.tanh(x)


class ConvLSTMCell(nn.Module):
    """Equation 13 in equations 8 to 10, with the gates in the order i, f, o, g."""

    def __init__(self, channels, filters, kernel_size, strides):
        super().__init__()
        self.filters, self.strides = filters, strides
        self.input = Conv(channels, 4 * filters, kernel_size, strides, linear=True)
        self.hidden = nn.Conv2d(filters, 4 * filters, 1, bias=False)

    def forward(self, x, state):
        output, memory = state
        i, f, o, g = (self.input(x) + self.hidden(output)).chunk(4, 1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        output = torch.sigmoid(o) * torch.tanh(memory)
        return output, (output, memory)

    def initial_state(self, x):
        sides = (-(-side // self.strides) for side in x.shape[-2:])
        return (x.new_zeros(len(x), self.filters, *sides),) * 2


class DepthToSpace(nn.Module):
    """TensorFlow's: the channels of the block's first row come first."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        batch, channels, height, width = x.shape
        b, filters = self.block, channels // self.block**2
        x = x.view(batch, b, b, filters, height, width).permute(0, 3, 4, 1, 5, 2)
        return x.reshape(batch, filters, height * b, width * b)


class Stage(nn.Module):
    """An encoder or a decoder, from the lines of a layout."""

    def __init__(self, layout, channels):
        super().__init__()
        self.layers = nn.ModuleList()
        for line in layout:
            if block := re.fullmatch(r"depth_to_space (\d+)", line):
                self.layers.append(DepthToSpace(int(block[1])))
                channels //= int(block[1]) ** 2
                continue
            kind, kernel_size, filters, _, strides, linear = re.fullmatch(
                r"(conv|conv_lstm) (\d+)x\d+/(\d+)( s(\d+))?( linear)?", line
            ).groups()
            sizes = channels, int(filters), int(kernel_size), int(strides or 1)
            self.layers.append(
                Conv(*sizes, bool(linear)) if kind == "conv" else ConvLSTMCell(*sizes)
            )
            channels = int(filters)

    def forward(self, x, states):
        new_states = []
        for layer in self.layers:
            if isinstance(layer, ConvLSTMCell):
                state = states[len(new_states)] if states else layer.initial_state(x)
                x, state = layer(x, state)
                new_states.append(state)
            else:
                x = layer(x)
        return x, new_states


class Binarizer(torch.autograd.Function):
    """Bits at random in training, the more likely ones else; the gradient passes."""

    @staticmethod
    def forward(ctx, x, training):
        threshold = 1 - 2 * torch.rand_like(x) if training else 0.0
        return torch.where(x >= threshold, 1.0, -1.0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class Codec(nn.Module):
    """The residual loop with one-shot reconstruction: images (B, 3, H, W) to all residuals."""

    def __init__(self, encoder, bits, decoder, iterations):
        super().__init__()
        self.encoder = Stage([*encoder, f"conv 1x1/{bits} linear"], 3)
        self.decoder = Stage(decoder, bits)
        self.iterations = iterations

    def forward(self, images):
        encoder_states = decoder_states = None
        residual, residuals = images, []
        for _ in range(self.iterations):
            logits, encoder_states = self.encoder(residual, encoder_states)
            bits = Binarizer.apply(torch.tanh(logits), self.training)
            picture, decoder_states = self.decoder(bits, decoder_states)
            residual = images - picture
            residuals.append(residual)
        return torch.stack(residuals, 1)

    def parameters_as_in_keras(self):
        """Kernel, hidden kernel and bias of each layer in order, as `keras.Model.weights`."""
        for stage in (self.encoder, self.decoder):
            for layer in stage.layers:
                if isinstance(layer, Conv):
                    yield from (layer.conv.weight, layer.conv.bias)
                elif isinstance(layer, ConvLSTMCell):
                    yield layer.input.conv.weight
                    yield from (layer.hidden.weight, layer.input.conv.bias)


def to_keras(array):
    """Kernels (F, C, side, side) as Keras has them, (side, side, C, F)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


class TorchContender:
    """Trains the model on one batch, again and again."""

    def __init__(self, settings):
        self._batch_size = settings["batch_size"]
        torch.set_num_threads(settings["threads"])
        imported, import_memory = time.perf_counter(), peak_memory()
        torch.manual_seed(0)
        self._model = Codec(
            settings["encoder"], settings["bits"], settings["decoder"], settings["iterations"]
        )
        self._autocast = settings["dtype"] == "bfloat16"
        layout = torch.channels_last if settings["channels_last"] else torch.contiguous_format
        self._model = self._model.to(memory_format=layout)
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=1e-4, fused=True)
        images = 2 * SCALE * torch.rand(self._batch_size, 3, 32, 32) - SCALE
        self._images = images.to(memory_format=layout)
        built = time.perf_counter()
        self.train_batch()
        self.facts = {
            "import_s": imported - started,
            "import_mb": import_memory,
            "build_s": built - imported,
            "first_batch_s": time.perf_counter() - built,
            "parameters": sum(weight.numel() for weight in self._model.parameters()),
            "version": torch.__version__,
        }

    def train_batch(self) -> float:
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._autocast):
            residuals = self._model(self._images)
        loss = residuals.float().square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        return loss.item()

    def round(self, _):
        return time_batches(self.train_batch)

    def compare(self, file):
        """The largest differences from what Keras computed with the same weights.

        Of the outputs, and of the gradients relative to their largest entry.
        """
        known = np.load(file)
        self._model.eval()
        with torch.no_grad():
            for i, parameter in enumerate(self._model.parameters_as_in_keras()):
                array = known[f"weight_{i}"]
                if array.ndim == 4:
                    array = array.transpose(3, 2, 0, 1)
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))
        images = torch.from_numpy(known["images"].transpose(0, 3, 1, 2).copy())
        residuals = self._model(images)
        pictures = (images[:, None] - residuals).permute(0, 1, 3, 4, 2).detach().numpy()
        self._model.zero_grad()
        residuals.square().mean().backward()
        worst = 0.0
        for i, parameter in enumerate(self._model.parameters_as_in_keras()):
            expected = known[f"gradient_{i}"]
            difference = np.abs(to_keras(parameter.grad.numpy()) - expected).max()
            worst = max(worst, float(difference / np.abs(expected).max()))
        return {
            "outputs": float(np.abs(pictures - known["outputs"]).max()),
            "gradients": worst,
        }


if __name__ == "__main__":
    answer_questions(lambda: TorchContender(json.loads(sys.argv[1])))
