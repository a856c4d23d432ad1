import keras
import numpy as np
import pytest
from keras import ops

from tfrnnc.errors import ConfigError
from tfrnnc.layers import (
    Conv2D,
    ConvLSTMCell,
    DeconvLSTMCell,
    DepthToSpace,
    PatchLSTMCell,
    SpaceToDepth,
)
from tfrnnc.models.stage import Stage, parse_layer


@pytest.mark.parametrize(
    ("notation", "kind", "filters", "kernel", "strides", "activation"),
    [
        ("conv 3x3/64 s2", Conv2D, 64, 3, 2, "tanh"),
        ("conv 1x1/3", Conv2D, 3, 1, 1, "tanh"),
        ("conv 11x11/7 s1 linear", Conv2D, 7, 11, 1, "linear"),
        ("conv 3x3/7 tanh", Conv2D, 7, 3, 1, "tanh"),
        ("deconv 2x2/512 s2", keras.layers.Conv2DTranspose, 512, 2, 2, "tanh"),
        ("deconv 3x3/16", keras.layers.Conv2DTranspose, 16, 3, 1, "tanh"),
        ("deconv 3x3/16 s3 linear", keras.layers.Conv2DTranspose, 16, 3, 3, "linear"),
    ],
)
def test_parses_convolutions(notation, kind, filters, kernel, strides, activation):
    layer = parse_layer(notation)
    assert type(layer) is kind
    assert layer.filters == filters
    assert layer.kernel_size == (kernel, kernel)
    assert layer.strides == (strides, strides)
    assert layer.padding == "same"
    assert layer.activation is keras.activations.get(activation)
    assert layer.use_bias


@pytest.mark.parametrize(
    ("notation", "kind", "filters", "kernel", "strides", "recurrent_kernel"),
    [
        ("conv_lstm 3x3/256 s2", ConvLSTMCell, 256, 3, 2, 1),
        ("conv_lstm 3x3/96", ConvLSTMCell, 96, 3, 1, 1),
        ("conv_lstm 5x5/8 s4 h3", ConvLSTMCell, 8, 5, 4, 3),
        ("deconv_lstm 2x2/512 s2", DeconvLSTMCell, 512, 2, 2, 1),
        ("deconv_lstm 2x2/4 h3", DeconvLSTMCell, 4, 2, 1, 3),
    ],
)
def test_parses_recurrent_convolutions(notation, kind, filters, kernel, strides, recurrent_kernel):
    layer = parse_layer(notation)
    assert type(layer) is kind
    assert layer.filters == filters
    assert layer.kernel_size == kernel
    assert layer.strides == strides
    assert layer.recurrent_kernel_size == recurrent_kernel


@pytest.mark.parametrize(
    ("notation", "activation"),
    [("dense 512", "tanh"), ("dense 512 tanh", "tanh"), ("dense 512 linear", "linear")],
)
def test_parses_dense_layers(notation, activation):
    layer = parse_layer(notation)
    assert type(layer) is keras.layers.Dense
    assert layer.units == 512
    assert layer.activation is keras.activations.get(activation)


def test_parses_lstm_layers():
    layer = parse_layer("lstm 512")
    assert type(layer) is PatchLSTMCell
    assert layer.units == 512


@pytest.mark.parametrize(
    ("notation", "kind"), [("space_to_depth 8", SpaceToDepth), ("depth_to_space 8", DepthToSpace)]
)
def test_parses_rearrangements(notation, kind):
    layer = parse_layer(notation)
    assert type(layer) is kind
    assert layer.block_size == 8


@pytest.mark.parametrize(
    "notation",
    [
        "",
        " ",
        "conv",
        "conv 3x3",
        "conv 3x2/4",
        "conv 3x3/4 h3",
        "conv 3x3/4 s",
        "conv 3x3/4 s-1",
        "conv 3x3/4 s1.5",
        "conv 3x3/4 relu",
        "conv 3x3/4 linear s2",
        "conv  3x3/4",
        "conv 3x3/4\n",
        " conv 3x3/4",
        "Conv 3x3/4",
        "deconv 2x2/4 h1",
        "conv_lstm 3x3/4 tanh",
        "deconv_lstm 3x3/4 s2 linear",
        "dense",
        "dense 3x3/4",
        "dense 4 s2",
        "dense 4 relu",
        "lstm 4 tanh",
        "lstm 4 h3",
        "gru 4",
        "depth_to_space",
        "depth_to_space 2 tanh",
        "space_to_depth 2x2",
        None,
        3,
        b"dense 4",
        ["dense 4"],
        ("conv", 3, 64),
    ],
)
def test_refuses_what_is_no_layer(notation):
    with pytest.raises(ConfigError, match="layer"):
        parse_layer(notation)


@pytest.mark.parametrize(
    "notation",
    [
        "conv 0x0/4",
        "conv 3x3/0",
        "conv 3x3/4 s0",
        "deconv 0x0/4",
        "deconv 3x3/0",
        "conv_lstm 0x0/4",
        "conv_lstm 3x3/0",
        "conv_lstm 3x3/4 s0",
        "conv_lstm 3x3/4 h0",
        "deconv_lstm 2x2/0 s2",
        "dense 0",
        "lstm 0",
        "space_to_depth 0",
        "depth_to_space 0",
    ],
)
def test_refuses_sizes_of_zero(notation):
    with pytest.raises(ConfigError, match="at least 1"):
        parse_layer(notation)


def test_a_bad_line_is_refused_when_the_stage_is_made():
    with pytest.raises(ConfigError, match="dense x"):
        Stage(["dense 4", "dense x"])


@pytest.mark.parametrize(
    ("layout", "size", "output_shape", "state_shapes"),
    [
        (["conv 3x3/4 s2", "dense 5"], (6, 8), (3, 4, 5), []),
        (["conv 3x3/4 s2", "conv_lstm 3x3/5 s2"], (8, 12), (2, 3, 5), [(2, 3, 5)]),
        (["conv 3x3/4 s2", "conv_lstm 3x3/5 s2"], (7, 9), (2, 3, 5), [(2, 3, 5)]),
        (["conv_lstm 3x3/5 s3", "conv_lstm 3x3/6 s2"], (1, 7), (1, 2, 6), [(1, 3, 5), (1, 2, 6)]),
        (["deconv_lstm 2x2/5 s3", "dense 3"], (3, 2), (9, 6, 3), [(9, 6, 5)]),
        (
            ["conv_lstm 3x3/8", "depth_to_space 2", "lstm 4"],
            (3, 5),
            (6, 10, 4),
            [(3, 5, 8), (6, 10, 4)],
        ),
        (["lstm 4", "deconv 2x2/5 s2"], (3, 5), (6, 10, 5), [(3, 5, 4)]),
        (["space_to_depth 2", "lstm 4"], (6, 4), (3, 2, 4), [(3, 2, 4)]),
    ],
)
def test_shapes_of_outputs_and_states(layout, size, output_shape, state_shapes):
    stage = Stage(layout)
    # Each recurrent layer has two: h and c.
    pairs = [shape for shape in state_shapes for _ in range(2)]
    assert stage.state_shapes(*size) == pairs
    states = stage.initial_states(2, *size)
    assert [tuple(state.shape) for state in states] == [(2, *shape) for shape in pairs]
    assert not any(np.any(state) for state in states)
    outputs, new_states = stage(ops.ones((2, *size, 3)), states)
    assert tuple(outputs.shape) == (2, *output_shape)
    assert stage.compute_output_shape((2, *size, 3)) == (2, *output_shape)
    assert [tuple(state.shape) for state in new_states] == [(2, *shape) for shape in pairs]


def test_equals_its_layers_one_after_the_other():
    rng = np.random.default_rng(0)
    stage = Stage(["conv_lstm 3x3/4", "dense 5", "lstm 3"])
    inputs = ops.convert_to_tensor(rng.normal(size=(1, 5, 4, 3)), "float32")
    states = [
        ops.convert_to_tensor(rng.normal(size=(1, *shape)), "float32")
        for shape in stage.state_shapes(5, 4)
    ]
    outputs, new_states = stage(inputs, states)
    conv_lstm, dense, lstm = stage.stack
    expected, first_state = conv_lstm(inputs, states[:2])
    expected, second_state = lstm(dense(expected), states[2:])
    np.testing.assert_array_equal(outputs, expected)
    for state, expected_state in zip(new_states, first_state + second_state, strict=True):
        np.testing.assert_array_equal(state, expected_state)


def test_nothing_is_remembered_between_calls():
    stage = Stage(["conv_lstm 3x3/4 s2", "deconv_lstm 2x2/4 s2"])
    inputs = ops.ones((1, 6, 5, 3))
    states = stage.initial_states(1, 6, 5)
    # Odd widths grow by one on the way down and up again: 5 to 3 to 6.
    first, first_states = stage(inputs, states)
    stage(inputs, first_states)
    second, second_states = stage(inputs, states)
    np.testing.assert_array_equal(first, second)
    for state, again in zip(first_states, second_states, strict=True):
        np.testing.assert_array_equal(state, again)
    assert not any(np.any(state) for state in states)
    assert not stage.non_trainable_variables


def test_config_round_trip():
    stage = Stage(("conv 3x3/4 s2", "lstm 5"), name="encoder")
    twin = Stage.from_config(stage.get_config())
    assert twin.get_config() == stage.get_config()
    assert [type(layer) for layer in twin.stack] == [type(layer) for layer in stage.stack]
