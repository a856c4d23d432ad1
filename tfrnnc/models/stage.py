"""A stack of layers written in the paper's notation, with its state made explicit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import keras

from tfrnnc.errors import ConfigError
from tfrnnc.layers import (
    Conv2D,
    ConvLSTMCell,
    DeconvLSTMCell,
    DepthToSpace,
    PatchLSTMCell,
    SpaceToDepth,
)

if TYPE_CHECKING:
    from tfrnnc.backend import Shape, Size, Tensor
    from tfrnnc.layers.convolution import Convolution

MAX_FILTERS = 65_536  #: of a layer, or units of a dense one
MAX_SIDE = 64  #: of a kernel, a stride, or a block

_NOTATION = re.compile(
    r"(?P<kind>conv|deconv|conv_lstm|deconv_lstm) (?P<kernel>\d+)x(?P=kernel)/(?P<filters>\d+)"
    r"( s(?P<strides>\d+))?( h(?P<recurrent>\d+))?( (?P<activation>tanh|linear))?"
    r"|(?P<dense>dense|lstm) (?P<units>\d+)( (?P<dense_activation>tanh|linear))?"
    r"|(?P<rearrange>space_to_depth|depth_to_space) (?P<block>\d+)"
)
_RECURRENT = ConvLSTMCell
_CONVOLVING = (Conv2D, ConvLSTMCell)


def parse_layer(notation: str, name: str | None = None) -> keras.layers.Layer:
    """Makes the layer that a line of a layout names.

    Args:
        notation: one of

            - `conv 3x3/64 s2`, `deconv 2x2/512 s2`: kernel, filters, stride (1 if left out);
            - `conv_lstm 3x3/256 s2`, `deconv_lstm 2x2/512 s2`: the same, recurrent; ` h3`
              makes the hidden kernel 3x3 instead of 1x1;
            - `dense 512`, `lstm 512`: a fully-connected layer over each location's channels;
            - `space_to_depth 8`, `depth_to_space 8`: patches to channels and back.

            `conv`, `deconv` and `dense` end in tanh unless ` linear` follows.
        name: of the layer; None lets Keras number it.

    Returns:
        a new, unbuilt layer.

    Raises:
        ConfigError: if the line is none of these.

    Examples:
        >>> parse_layer("conv_lstm 3x3/256 s2").strides
        2
    """
    part = _parts(notation)
    kind = part["kind"] or part["dense"] or part["rearrange"]
    assert kind is not None
    kernel, filters = int(part["kernel"] or 0), int(part["filters"] or part["units"] or 0)
    strides = int(part["strides"] or 1)
    activation = part["activation"] or part["dense_activation"]
    recurrent = kind.endswith("lstm")
    if (recurrent and activation) or (part["recurrent"] and not recurrent):
        raise ConfigError(f"layer {notation!r}: {kind} takes no such option")
    activation = activation or "tanh"
    match kind:
        case "conv":
            return Conv2D(
                filters, kernel, strides, padding="same", activation=activation, name=name
            )
        case "deconv":
            return keras.layers.Conv2DTranspose(
                filters, kernel, strides, padding="same", activation=activation, name=name
            )
        case "conv_lstm":
            return ConvLSTMCell(filters, kernel, strides, int(part["recurrent"] or 1), name=name)
        case "deconv_lstm":
            return DeconvLSTMCell(filters, kernel, strides, int(part["recurrent"] or 1), name=name)
        case "dense":
            return keras.layers.Dense(filters, activation=activation, name=name)
        case "lstm":
            return PatchLSTMCell(filters, name=name)
        case "space_to_depth":
            return SpaceToDepth(int(part["block"] or 0), name=name)
        case _:
            return DepthToSpace(int(part["block"] or 0), name=name)


def _parts(notation: str) -> dict[str, str | None]:
    """The words of a line of a layout, by their names in `_NOTATION`.

    Raises:
        ConfigError: if it is not understood, or a size is out of range.
    """
    match = _NOTATION.fullmatch(notation) if isinstance(notation, str) else None
    if match is None:
        raise ConfigError(
            f"layer {notation!r} is not understood; write it like 'conv 3x3/64 s2', "
            "'conv_lstm 3x3/256 s1', 'dense 512', 'lstm 512' or 'depth_to_space 2'"
        )
    part = match.groupdict()
    sizes = ("kernel", "filters", "strides", "recurrent", "units", "block")
    limits = {"filters": MAX_FILTERS, "units": MAX_FILTERS}
    for size in sizes:
        # Python refuses to read thousands of digits.
        if part[size] and not (
            len(part[size]) < 10 and 1 <= int(part[size]) <= limits.get(size, MAX_SIDE)
        ):
            raise ConfigError(
                f"layer {notation!r}: sizes must be at least 1, kernels, strides and blocks at "
                f"most {MAX_SIDE}, and filters at most {MAX_FILTERS}"
            )
    return part


@keras.saving.register_keras_serializable("tfrnnc")
class Stage(keras.layers.Layer):
    """An encoder E or a decoder D: layers in sequence, the recurrent ones with state.

    Args:
        layout: one line for each layer, as `parse_layer` takes them.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats (B, H, W, C).
        states: the flat list [h, c, h, c, ...] of the recurrent layers in order, as made by
            `initial_states` or returned by the last call; empty where nothing is recurrent.
        convolve: how to compute the convolutions, see `tfrnnc.layers.convolution`; None
            computes them as they are in use.

    Returns:
        the pair (outputs, new states).

    Raises:
        ConfigError: if a line of the layout is not understood.

    Examples:
        >>> from keras import ops
        >>> stage = Stage(["conv 3x3/8 s2", "conv_lstm 3x3/16 s2"])
        >>> outputs, states = stage(ops.ones((1, 32, 32, 3)), stage.initial_states(1, 32, 32))
        >>> tuple(outputs.shape), len(states)
        ((1, 8, 8, 16), 2)
    """

    def __init__(self, layout: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layout = list(layout)
        # Named by their place, so that exported files do not depend on what else was built.
        self.stack = [
            parse_layer(notation, f"layer_{place}")
            for place, notation in enumerate(self.layout, start=1)
        ]

    def build(self, inputs_shape: Shape, states_shape: Sequence[Shape] | None = None) -> None:
        shape = tuple(inputs_shape)
        for layer in self.stack:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], convolve: Convolution | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        states = list(states)
        new_states: list[Tensor] = []
        outputs = inputs
        for layer in self.stack:
            way = {"convolve": convolve} if convolve and isinstance(layer, _CONVOLVING) else {}
            if isinstance(layer, _RECURRENT):
                outputs, state = layer(outputs, [states.pop(0), states.pop(0)], **way)
                new_states += state
            else:
                outputs = layer(outputs, **way)
        return outputs, new_states

    def compute_output_shape(
        self, inputs_shape: Shape, states_shape: Sequence[Shape] | None = None
    ) -> Shape:
        shape = tuple(inputs_shape)
        for layer in self.stack:
            shape = layer.compute_output_shape(shape)
        return tuple(shape)

    def compute_output_spec(
        self, inputs: Tensor, states: Sequence[Tensor], convolve: Convolution | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        batch, height, width, _ = inputs.shape
        shapes = [self.compute_output_shape(inputs.shape)]
        shapes += [(batch, *shape) for shape in self.state_shapes(height, width)]
        outputs, *new_states = (keras.KerasTensor(shape, self.compute_dtype) for shape in shapes)
        return outputs, new_states

    def state_shapes(self, height: Size, width: Size) -> list[tuple[Size, Size, int]]:
        """Shapes (h, w, filters) of the states for inputs of (height, width) locations.

        Args:
            height: a whole number, None, or a tensor where a graph serves any size.
            width: the same.
        """
        shapes = []
        for layer in self.stack:
            height, width = (_output_side(layer, side) for side in (height, width))
            if isinstance(layer, _RECURRENT):
                shapes += [(height, width, channels) for channels in layer.state_size]
        return shapes

    def strides(self, location: int) -> list[int]:
        """Image pixels between two locations after each layer.

        Args:
            location: image pixels between two locations of the input.

        Raises:
            ConfigError: if there are more locations than pixels.
        """
        strides = []
        exact = Fraction(location)
        for layer, notation in zip(self.stack, self.layout, strict=True):
            exact *= _stride(layer)
            if exact.denominator != 1:
                raise ConfigError(
                    f"layer {notation!r} leaves {exact} of a pixel between two locations; it "
                    "enlarges more than the layers before it reduce"
                )
            strides.append(int(exact))
        return strides

    def state_strides(self, location: int) -> list[int]:
        """Image pixels between two locations of each state; see `state_shapes` and `strides`."""
        return [
            stride
            for layer, stride in zip(self.stack, self.strides(location), strict=True)
            if isinstance(layer, _RECURRENT)
            for _ in range(2)
        ]

    def margin(self, location: int) -> int:
        """How far, in image pixels, the results of one iteration change where the input is cut.

        Args:
            location: image pixels between two locations of the input.
        """
        margin = 0
        for layer, stride in zip(self.stack, self.strides(location), strict=True):
            before, location = location, stride
            overlap = max(_side(layer, "kernel_size") - _side(layer, "strides"), 0)
            margin += -(-overlap // 2) * min(before, location)
            margin = -(-margin // location) * location  # a location is right as a whole or wrong
            margin = max(margin, _side(layer, "recurrent_kernel_size") // 2 * location)
        return margin

    def initial_states(self, batch: Size, height: Size, width: Size) -> list[Tensor]:
        """The states before the first iteration: zeros, for a batch of that size."""
        states: list[Tensor] = []
        for layer in self.stack:
            if isinstance(layer, _RECURRENT):
                states += layer.get_initial_state(batch, height, width)
            height, width = (_output_side(layer, side) for side in (height, width))
        return states

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layout": self.layout}


def _stride(layer: keras.layers.Layer) -> Fraction:
    """Locations of a layer's input for each of its output, along an axis."""
    if isinstance(layer, SpaceToDepth):
        return Fraction(layer.block_size)
    if isinstance(layer, DepthToSpace):
        return Fraction(1, layer.block_size)
    strides = _side(layer, "strides")
    enlarging = isinstance(layer, (keras.layers.Conv2DTranspose, DeconvLSTMCell))
    return Fraction(1, strides) if enlarging else Fraction(strides)


def _side(layer: keras.layers.Layer, name: str) -> int:
    """A layer's kernel size or stride; 1 if it has none."""
    size = getattr(layer, name, 1)
    return size[0] if isinstance(size, tuple) else size


def _output_side(layer: keras.layers.Layer, side: Size) -> Size:
    """Height or width of a layer's outputs, from that of its inputs; None where it is not known."""
    if side is None:
        return None
    stride = _stride(layer)
    return -(-side * stride.denominator // stride.numerator)
