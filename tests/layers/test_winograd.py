import keras
import numpy as np
import pytest
from keras import ops
from numpy_reference import conv_lstm, convolution

from tfrnnc.layers import Conv2D, ConvLSTMCell, winograd
from tfrnnc.layers.convolution import bfloat16_products, direct
from tfrnnc.layers.winograd import Winograd, transform_kernel, winograd_conv_3x3

tf = pytest.importorskip("tensorflow")


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def filter_3x3(inputs, kernel):
    return winograd_conv_3x3(inputs, transform_kernel(kernel, inputs.dtype))


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (4, 8), (12, 4), (16, 32)])
def test_equals_the_convolution(size):
    inputs, kernel = arrays((2, *size, 5), (3, 3, 5, 7))
    outputs = filter_3x3(ops.convert_to_tensor(inputs), ops.convert_to_tensor(kernel))
    expected = convolution(inputs, np.float64(kernel))
    np.testing.assert_allclose(outputs, expected, atol=1e-5 * np.abs(expected).max())


def test_has_the_gradients_of_the_convolution():
    inputs, kernel, upstream = map(tf.constant, arrays((3, 8, 4, 5), (3, 3, 5, 7), (3, 8, 4, 7)))
    gradients = []
    for function in (filter_3x3, lambda x, k: ops.conv(x, k, padding="same")):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = function(inputs, kernel)
        gradients.append(tape.gradient(outputs, [inputs, kernel], upstream))
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.fixture
def transforms(monkeypatch) -> list:
    """One entry for each kernel that was transformed."""
    found = []
    transform = winograd._kernel_transform

    def recorded():
        found.append(None)
        return transform()

    monkeypatch.setattr(winograd, "_kernel_transform", recorded)
    return found


def test_a_kernel_that_is_used_twice_is_transformed_once(transforms):
    inputs, first, second = map(tf.constant, arrays((3, 8, 4, 5), (3, 3, 5, 5), (3, 3, 5, 5)))

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch([first, second])
            outputs = function(function(function(inputs, first), second), first)
        return [outputs, *tape.gradient(outputs, [first, second])]

    expected = gradients(lambda x, k: ops.conv(x, k, padding="same"))
    found = gradients(Winograd())
    assert len(transforms) == 2
    again = gradients(lambda inputs, kernel: Winograd()(inputs, kernel))
    assert len(transforms) == 5
    for each in (found, again):
        for value, other in zip(each, expected, strict=True):
            np.testing.assert_allclose(value, other, atol=1e-5 * np.abs(other).max())


def test_a_kernel_that_is_gone_leaves_its_transform_to_no_other():
    """Python gives the `id` of an object that is gone to a new one."""
    convolve, random = Winograd(), np.random.default_rng(0)
    (inputs,) = map(tf.constant, arrays((2, 4, 4, 3)))
    for _ in range(20):
        kernel = tf.constant(random.normal(size=(3, 3, 3, 3)).astype(np.float32))
        outputs = convolve(inputs, kernel)
        expected = ops.conv(inputs, kernel, padding="same")
        np.testing.assert_allclose(outputs, expected, atol=1e-4)
        del kernel


@pytest.fixture
def filtered(monkeypatch) -> list[tuple]:
    """The shapes of the inputs that were filtered."""
    shapes = []

    def recorded(inputs, transformed):
        shapes.append(tuple(inputs.shape))
        return winograd_conv_3x3(inputs, transformed)

    monkeypatch.setattr(winograd, "winograd_conv_3x3", recorded)
    return shapes


@pytest.mark.parametrize("recurrent_kernel_size", [1, 3])
def test_a_cell_in_training_equals_the_equations(filtered, recurrent_kernel_size):
    cell = ConvLSTMCell(6, 3, recurrent_kernel_size=recurrent_kernel_size)
    cell.build((None, None, None, 5))
    weights = [np.float64(weight) for weight in cell.get_weights()]
    states = expected = arrays((2, 8, 8, 6), (2, 8, 8, 6))
    inputs, *_ = arrays((2, 8, 8, 5))
    for _ in range(3):
        output, states = cell(inputs, states, convolve=Winograd())
        expected = conv_lstm(inputs, expected, *weights)
        np.testing.assert_allclose(output, expected[0], atol=1e-5)
        np.testing.assert_allclose(states[1], expected[1], atol=1e-5)
    assert len(filtered) == (3 if recurrent_kernel_size == 1 else 6)


def test_a_convolution_in_training_is_what_it_is_in_use(filtered):
    layer = Conv2D(7, 3, padding="same", activation="tanh", bias_initializer="normal")
    (inputs,) = arrays((2, 4, 8, 5))
    expected = layer(inputs)
    assert not filtered
    np.testing.assert_allclose(layer(inputs, convolve=Winograd()), expected, atol=1e-5)
    assert len(filtered) == 1
    layer(inputs[:, :3], convolve=Winograd())
    assert len(filtered) == 1


@pytest.mark.parametrize(
    ("size", "kernel_size", "strides", "dtype"),
    [
        ((6, 8), 3, 1, "float32"),
        ((16, 16), 3, 1, "float32"),
        ((8, 8), 1, 1, "float32"),
        ((8, 8), 3, 2, "float32"),
        ((8, 8), 3, 1, "bfloat16"),
    ],
)
def test_everything_else_is_the_plain_convolution(filtered, size, kernel_size, strides, dtype):
    inputs, kernel = (
        ops.cast(array, dtype) for array in arrays((1, *size, 2), (kernel_size, kernel_size, 2, 3))
    )
    outputs = Winograd()(inputs, kernel, strides)
    expected = ops.conv(inputs, kernel, strides=strides, padding="same")
    np.testing.assert_array_equal(*(ops.cast(each, "float32") for each in (outputs, expected)))
    assert not filtered


@pytest.mark.parametrize(
    ("size", "channels", "filters", "expected"),
    [
        ((12, 16), 64, 256, True),
        ((16, 16), 64, 256, True),
        ((32, 32), 64, 256, False),
        ((32, 32), 176, 704, True),
        ((64, 64), 176, 704, False),
        ((14, 16), 64, 256, False),
        ((None, None), 64, 256, False),
    ],
)
def test_on_larger_grids_with_many_channels_only(size, channels, filters, expected):
    """Where it was measured to be faster."""
    inputs, kernel = (
        keras.KerasTensor(shape) for shape in ((1, *size, channels), (3, 3, channels, filters))
    )
    assert winograd.is_faster(inputs, kernel, 1) is expected


def test_only_fit_filters(filtered, transforms):
    """What `fit` computes may differ in rounding from the exported files, nothing else may."""
    from tfrnnc.models import ConvLSTM

    model = ConvLSTM(
        ("conv 3x3/4 s2", "conv_lstm 3x3/4"),
        2,
        ("conv_lstm 3x3/4", "conv 3x3/5", "deconv 2x2/3 s2"),
        iterations=2,
    )
    (images,) = arrays((2, 16, 16, 3))
    images = np.clip(images, -0.9, 0.9)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    model(images)
    model.predict_on_batch(images)
    assert not filtered
    model.train_on_batch(images)
    assert len(transforms) == 3  # A kernel each, though there are two iterations.
    assert [shape[1:] for shape in filtered[:3]] == [(8, 8, 4), (8, 8, 2), (8, 8, 4)]


@pytest.mark.parametrize("strides", [1, 2])
def test_bfloat16_products_are_right_to_eight_bits(strides):
    inputs, kernel = map(tf.constant, arrays((2, 8, 8, 32), (3, 3, 32, 64)))
    outputs = bfloat16_products(inputs, kernel, strides)
    expected = direct(inputs, kernel, strides).numpy()
    assert outputs.dtype == tf.float32
    np.testing.assert_allclose(outputs, expected, atol=2**-7 * np.abs(expected).max())
    assert np.abs(outputs - expected).max() > 0


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 64), (64, 48)])
def test_colours_and_logits_are_not_rounded_to_bfloat16(inputs, outputs):
    inputs, kernel = map(tf.constant, arrays((2, 8, 8, inputs), (3, 3, inputs, outputs)))
    np.testing.assert_array_equal(bfloat16_products(inputs, kernel), direct(inputs, kernel))
