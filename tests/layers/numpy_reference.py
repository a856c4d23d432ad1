"""Equations 8 to 14 of the paper in NumPy, float64, written out as loops."""

import numpy as np


def convolution(inputs, kernel, stride=1):
    """The convolution (*)_k with TensorFlow's "same" padding.

    Args:
        inputs: (B, H, W, C).
        kernel: (side, side, C, F).
        stride: k.

    Returns:
        (B, ceil(H / k), ceil(W / k), F).
    """
    side = kernel.shape[0]
    padding = [same_padding(size, side, stride) for size in inputs.shape[1:3]]
    return correlation(inputs, kernel, stride, padding)


def transposed_convolution(inputs, kernel, stride=1):
    """The transposed convolution (/)_k of eq. 11-12: zero inflation by k, then convolution.

    It is the adjoint of `convolution` from (H k, W k) to (H, W). There the output at i reads
    the input at p = i k + j - before through the kernel at j. So here the output at p takes
    from the inflated input at p + before - j through the kernel at j; with the kernel turned
    round, j' = side - 1 - j, that is p + j' - (side - 1 - before): a convolution with
    side - 1 - before zeros in front.

    Args:
        inputs: (B, H, W, C).
        kernel: (side, side, F, C), as Keras keeps it.
        stride: k.

    Returns:
        (B, H k, W k, F).
    """
    batch, height, width, channels = inputs.shape
    side = kernel.shape[0]
    inflated = np.zeros((batch, height * stride, width * stride, channels))
    inflated[:, ::stride, ::stride] = inputs
    padding = []
    for size in inflated.shape[1:3]:
        before, _ = same_padding(size, side, stride)
        padding.append((side - 1 - before, before))
    return correlation(inflated, kernel[::-1, ::-1].swapaxes(2, 3), 1, padding)


def conv_lstm(inputs, states, kernel, recurrent_kernel, bias, stride=1):
    """One step of eq. 13 in eq. 8-10, with the gates in the order i, f, o, g."""
    output, memory = states
    transform = convolution(inputs, kernel, stride) + convolution(output, recurrent_kernel) + bias
    i, f, o, g = np.split(transform, 4, axis=-1)
    return lstm(i, f, o, g, memory)


def deconv_lstm(inputs, states, kernel, recurrent_kernel, bias, stride=1):
    """One step of eq. 14 in eq. 8-10, with the gates in the order i, f, o, g."""
    output, memory = states
    transform = (
        transposed_convolution(inputs, kernel, stride)
        + convolution(output, recurrent_kernel)
        + bias
    )
    i, f, o, g = np.split(transform, 4, axis=-1)
    return lstm(i, f, o, g, memory)


def patch_lstm(inputs, states, kernel, recurrent_kernel, bias):
    """One step of eq. 8-10 at each location, gates in the paper's order."""
    output, memory = states
    kernel, recurrent_kernel = kernel[0, 0], recurrent_kernel[0, 0]
    i, f, o, g = np.split(inputs @ kernel + output @ recurrent_kernel + bias, 4, axis=-1)
    return lstm(i, f, o, g, memory)


def lstm(i, f, o, g, memory):
    """Eq. 9-10: the new pair [h, c]."""
    memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(memory), memory]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def same_padding(size, side, stride):
    """The zeros that TensorFlow puts before and after: the smaller half before."""
    total = max((-(-size // stride) - 1) * stride + side - size, 0)
    return total // 2, total - total // 2


def correlation(inputs, kernel, stride, padding):
    padded = np.pad(np.asarray(inputs, np.float64), [(0, 0), *padding, (0, 0)])
    side, _, _, filters = kernel.shape
    height = (padded.shape[1] - side) // stride + 1
    width = (padded.shape[2] - side) // stride + 1
    outputs = np.zeros((len(padded), height, width, filters))
    for row in range(height):
        for column in range(width):
            for y in range(side):
                for x in range(side):
                    pixel = padded[:, row * stride + y, column * stride + x]
                    outputs[:, row, column] += pixel @ kernel[y, x]
    return outputs
