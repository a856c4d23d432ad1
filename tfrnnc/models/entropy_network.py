"""The trainable form of the entropy model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from tfrnnc.bitstream.constants import ACTIVATION_SCALE, LOGITS_PER_UNIT, WEIGHT_SCALE
from tfrnnc.bitstream.entropy_model import EntropyModel, Head, IterationModel, group_edges
from tfrnnc.errors import ConfigError
from tfrnnc.layers.straight_through import straight_through
from tfrnnc.models.quantized_conv import QuantizedConv, quantized_logits, quantized_relu

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor

LOGIT_UNIT = 1 / LOGITS_PER_UNIT


class EntropyNetwork(keras.Model):
    """Predicts the bits of each iteration from those that a decoder has by then.

    The same network as `tfrnnc.bitstream.EntropyModel`, which computes with integers what this
    one computes with multiples of powers of two; `to_entropy_model` converts it.

    Args:
        iterations: of the codec model.
        bits: at each location, for each iteration.
        groups: that the bits of a location are divided into; each takes two passes.
        hidden: channels of the layers that see the earlier iterations.
        width: channels that predict a group.
        **kwargs: as for every `keras.Model`.

    Call arguments:
        planes: floats -1 and +1, (B, iterations, h, w, bits).

    Returns:
        the logit that each bit is +1, (B, iterations, h, w, bits).

    Raises:
        ConfigError: if a number is out of range.

    Examples:
        >>> network = EntropyNetwork(iterations=2, bits=8)
        >>> tuple(network(ops.ones((1, 2, 4, 4, 8))).shape)
        (1, 2, 4, 4, 8)
    """

    def __init__(
        self,
        iterations: int,
        bits: int,
        groups: int = 4,
        hidden: int = 32,
        width: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not (1 <= groups <= bits <= 255 and 1 <= hidden <= 999 and 1 <= width <= 999):
            raise ConfigError(
                f"there is no entropy model of {bits} bits in {groups} groups, with {hidden} "
                f"hidden channels and {width} for a group"
            )
        self.iterations, self.bits = iterations, bits
        self.groups, self.hidden, self.width = groups, hidden, width
        edges = group_edges(bits, groups)
        group_of_bit = np.searchsorted(edges, np.arange(bits), side="right") - 1
        group_of_unit = np.repeat(np.arange(groups), width)
        # A unit sees the groups before its own everywhere, and its own at the even locations.
        self._before = (group_of_bit[:, None] < group_of_unit).astype(np.float32)
        self._own = (group_of_bit[:, None] == group_of_unit).astype(np.float32)
        self.contexts = [
            [QuantizedConv(hidden, 3, name=f"context_{iteration}_{layer}") for layer in (1, 2)]
            for iteration in range(1, iterations)
        ]
        names = range(iterations)
        self.from_contexts = [
            QuantizedConv(groups * width, 1, use_bias=False, name=f"from_context_{i}")
            for i in names[1:]
        ]
        self.from_planes = [QuantizedConv(groups * width, 3, name=f"from_plane_{i}") for i in names]
        self.odd_biases = [
            self.add_weight(shape=(groups * width,), initializer="zeros", name=f"odd_bias_{i}")
            for i in names
        ]
        self.outputs_ = [QuantizedConv(bits, 1, name=f"output_{i}") for i in names]
        for iteration in names:
            if iteration:
                self.contexts[iteration - 1][0].build((None, None, None, iteration * bits))
                self.contexts[iteration - 1][1].build((None, None, None, hidden))
                self.from_contexts[iteration - 1].build((None, None, None, hidden))
            self.from_planes[iteration].build((None, None, None, bits))
            self.outputs_[iteration].build((None, None, None, groups * width))
        self.built = True

    def call(self, planes: Tensor) -> Tensor:
        return ops.stack(
            [
                self.iteration_logits(
                    [planes[:, i] for i in range(iteration)], planes[:, iteration]
                )
                for iteration in range(self.iterations)
            ],
            axis=1,
        )

    def iteration_logits(self, earlier: Sequence[Tensor], plane: Tensor) -> Tensor:
        """The logits of one iteration's bits.

        Args:
            earlier: the planes of the iterations before, each floats (B, h, w, bits).
            plane: of the iteration, floats -1 and +1, (B, h, w, bits).

        Returns:
            floats (B, h, w, bits).
        """
        iteration = len(earlier)
        height, width = ops.shape(plane)[1:3]
        odd = (ops.arange(height)[:, None] + ops.arange(width)) % 2
        odd = ops.cast(odd, plane.dtype)[None, :, :, None]
        layer = self.from_planes[iteration]
        values = layer(plane, self._before)
        own = ops.conv(plane * (1 - odd), layer.quantized_kernel() * self._own, padding="same")
        values = values + odd * (own + _on_grid(self.odd_biases[iteration]))
        if iteration:
            context = ops.concatenate(earlier, axis=-1)
            for context_layer in self.contexts[iteration - 1]:
                context = quantized_relu(context_layer(context))
            values = values + self.from_contexts[iteration - 1](context)
        output = self.outputs_[iteration](quantized_relu(values), self._own.T)
        unit = ACTIVATION_SCALE * LOGIT_UNIT
        return quantized_logits(output) * unit + LOGIT_UNIT / 2

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The mean length of a bit's code, in bits; 1 is that of the bit itself."""
        positive = (x + 1.0) / 2.0
        lost = ops.binary_crossentropy(positive, y_pred, from_logits=True)
        return ops.mean(lost) / math.log(2)

    def to_entropy_model(self, model_id: bytes) -> EntropyModel:
        """The network in integers.

        Args:
            model_id: identity of the codec model whose bits it was trained on.

        Raises:
            ModelError: if its weights are too large to be summed exactly.
        """
        edges = group_edges(self.bits, self.groups)
        iterations = []
        for iteration in range(self.iterations):
            contexts = self.contexts[iteration - 1] if iteration else []
            plane_kernel = _integers(self.from_planes[iteration].quantized_kernel(), WEIGHT_SCALE)
            even_bias = _bias(self.from_planes[iteration].quantized_bias())
            odd_bias = even_bias + _bias(_on_grid(self.odd_biases[iteration]))
            output = _integers(self.outputs_[iteration].quantized_kernel(), WEIGHT_SCALE)[0, 0]
            output_bias = _bias(self.outputs_[iteration].quantized_bias())
            seen = np.zeros((0, self.groups * self.width), np.float32)
            if iteration:
                kernel = self.from_contexts[iteration - 1].quantized_kernel()
                seen = _integers(kernel, WEIGHT_SCALE)[0, 0]
            heads = []
            for group in range(self.groups):
                units = slice(group * self.width, (group + 1) * self.width)
                bits = slice(edges[group], edges[group + 1])
                heads.append(
                    Head(
                        seen[:, units],
                        plane_kernel[:, :, : bits.stop, units].reshape(-1, self.width),
                        np.stack([even_bias[units], odd_bias[units]]),
                        output[units, bits],
                        output_bias[bits],
                    )
                )
            context = []
            for layer in contexts:
                kernel = _integers(layer.quantized_kernel(), WEIGHT_SCALE)
                kernel = kernel.reshape(-1, self.hidden)
                context.append((kernel, _bias(layer.quantized_bias())))
            iterations.append(IterationModel(context, heads))
        return EntropyModel(model_id, self.bits, iterations)

    def split(self, groups: int) -> EntropyNetwork:
        """A network in more groups, which starts from what this one has learnt.

        Its probabilities are not yet quite as good: what a group knew of its own bits at the even
        locations, its parts have to learn anew where those bits are another part's.

        Args:
            groups: a multiple of this network's, of which each is divided into as many.

        Raises:
            ConfigError: if this network's groups cannot be divided so.
        """
        edges = group_edges(self.bits, groups) if 1 <= groups <= self.bits else []
        if groups % self.groups or not {*group_edges(self.bits, self.groups)} <= {*edges}:
            raise ConfigError(
                f"an entropy network of {self.groups} groups of {self.bits} bits cannot be "
                f"divided into {groups} groups"
            )
        part = np.arange(groups) // (groups // self.groups)  # whose part each group is
        start = group_edges(self.bits, self.groups)[:-1]
        network = EntropyNetwork(self.iterations, self.bits, groups, self.hidden, self.width)

        def of_parts(values: Tensor) -> np.ndarray:
            by_group = np.reshape(ops.convert_to_numpy(values), (-1, self.groups, self.width))
            return by_group[:, part]

        for old, new in zip(self.contexts, network.contexts, strict=True):
            for old_layer, new_layer in zip(old, new, strict=True):
                new_layer.set_weights(old_layer.get_weights())
        for old, new in zip(self.from_contexts, network.from_contexts, strict=True):
            new.kernel.assign(of_parts(old.kernel).reshape(new.kernel.shape))
        for old, new in zip(self.from_planes, network.from_planes, strict=True):
            kernel = of_parts(old.kernel).reshape(3, 3, self.bits, groups, self.width)
            for group in range(groups):
                kernel[:, :, start[part[group]] : edges[group], group] = 0
            new.kernel.assign(kernel.reshape(new.kernel.shape))
            new.bias.assign(of_parts(old.bias).ravel())
        for old, new in zip(self.odd_biases, network.odd_biases, strict=True):
            new.assign(of_parts(old).ravel())
        for old, new in zip(self.outputs_, network.outputs_, strict=True):
            kernel = ops.convert_to_numpy(old.kernel).reshape(self.groups, self.width, self.bits)
            new.kernel.assign(kernel[part].reshape(new.kernel.shape))
            new.bias.assign(old.bias)
        return network

    @classmethod
    def from_entropy_model(cls, model: EntropyModel) -> EntropyNetwork:
        """The network that `to_entropy_model` made a model of, as far as the integers tell.

        Args:
            model: in integers.
        """
        heads = model.iterations[0].heads
        contexts = model.iterations[-1].context
        network = cls(
            iterations=len(model.iterations),
            bits=model.bits,
            groups=len(heads),
            hidden=contexts[0][1].size if contexts else 1,
            width=heads[0].bias.shape[1],
        )
        for number, iteration in enumerate(model.iterations):
            plane_kernel = np.zeros((9, model.bits, len(heads), network.width), np.float32)
            output = np.zeros((len(heads), network.width, model.bits), np.float32)
            first = 0
            for group, head in enumerate(iteration.heads):
                end = first + head.output_bias.size
                plane_kernel[:, :end, group] = head.plane.reshape(9, end, network.width)
                output[group, :, first:end] = head.output
                first = end
            even, odd = np.concatenate([head.bias for head in iteration.heads], axis=1)
            output_bias = np.concatenate([head.output_bias for head in iteration.heads])
            _set_weights(network.from_planes[number], plane_kernel, even)
            network.odd_biases[number].assign(_bias_value(odd - even))
            _set_weights(network.outputs_[number], output, output_bias)
            if number:
                seen = np.concatenate([head.context for head in iteration.heads], axis=1)
                _set_weights(network.from_contexts[number - 1], seen)
                for layer, weights in zip(
                    network.contexts[number - 1], iteration.context, strict=True
                ):
                    _set_weights(layer, *weights)
        return network


def _set_weights(layer: QuantizedConv, kernel: np.ndarray, bias: np.ndarray | None = None) -> None:
    layer.kernel.assign(kernel.reshape(layer.kernel.shape) / WEIGHT_SCALE)
    if bias is not None:
        layer.bias.assign(_bias_value(bias))


def _bias_value(integers: np.ndarray) -> np.ndarray:
    return integers / (ACTIVATION_SCALE * WEIGHT_SCALE)


def _on_grid(bias: Tensor) -> Tensor:
    scale = ACTIVATION_SCALE * WEIGHT_SCALE
    rounded = ops.round(bias * scale) / scale
    return straight_through(rounded, bias)


def _integers(values: Tensor, scale: int) -> np.ndarray:
    integers: np.ndarray = np.rint(ops.convert_to_numpy(values) * scale)
    return integers


def _bias(values: Tensor) -> np.ndarray:
    return _integers(values, ACTIVATION_SCALE * WEIGHT_SCALE)
