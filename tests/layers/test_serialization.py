import keras
import numpy as np
import pytest

from tfrnnc.layers import (
    Conv2D,
    ConvLSTMCell,
    DeconvLSTMCell,
    DepthToSpace,
    PatchLSTMCell,
    SpaceToDepth,
    StochasticBinarizer,
)
from tfrnnc.models.stage import Stage

# A layer, the shape of its inputs and those of its states, without the batch.
LAYERS = {
    "conv": (lambda: Conv2D(4, 3, padding="same", activation="tanh"), (4, 4, 3), None),
    "conv_lstm": (
        lambda: ConvLSTMCell(
            4,
            3,
            strides=2,
            recurrent_kernel_size=3,
            forget_bias=0.5,
            kernel_initializer="he_normal",
            recurrent_initializer=keras.initializers.Orthogonal(gain=0.5),
            name="cell",
        ),
        (5, 6, 3),
        [(3, 3, 4)] * 2,
    ),
    "deconv_lstm": (lambda: DeconvLSTMCell(4, 2, strides=2), (3, 2, 5), [(6, 4, 4)] * 2),
    "patch_lstm": (lambda: PatchLSTMCell(4), (2, 3, 5), [(2, 3, 4)] * 2),
    "depth_to_space": (lambda: DepthToSpace(2), (2, 3, 8), None),
    "space_to_depth": (lambda: SpaceToDepth(2), (4, 6, 3), None),
    "binarizer": (lambda: StochasticBinarizer(seed=3), (2, 3, 4), None),
    "stage": (lambda: Stage(["conv 3x3/4", "dense 5"]), (4, 6, 3), []),
    "recurrent_stage": (
        lambda: Stage(["conv_lstm 3x3/4 s2", "dense 5", "lstm 3", "deconv_lstm 2x2/2 s2"]),
        (4, 6, 3),
        [(2, 3, 4)] * 2 + [(2, 3, 3)] * 2 + [(4, 6, 2)] * 2,
    ),
}


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS.keys())
def test_survives_a_keras_file(case, tmp_path):
    make_layer, input_shape, state_shapes = case
    layer = make_layer()
    inputs = keras.Input(input_shape)
    if state_shapes is None:
        model = keras.Model(inputs, layer(inputs))
    else:
        states = [keras.Input(shape) for shape in state_shapes]
        outputs, new_states = layer(inputs, states)
        model = keras.Model([inputs, *states], [outputs, *new_states])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")

    twin = next(each for each in loaded.layers if type(each) is type(layer))
    assert twin.get_config() == layer.get_config()
    rng = np.random.default_rng(0)
    values, *state_values = [
        rng.normal(size=(2, *shape)).astype(np.float32)
        for shape in (input_shape, *(state_shapes or []))
    ]
    call = [values] if state_shapes is None else [values, state_values]
    expected = keras.tree.flatten(layer(*call))
    for each in (model, loaded):
        outputs = keras.tree.flatten(
            each(values if state_shapes is None else [values, *state_values])
        )
        assert len(outputs) == len(expected)
        for output, value in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, value)
