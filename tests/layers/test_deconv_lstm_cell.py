import numpy as np
import pytest
from numpy_reference import convolution, deconv_lstm, transposed_convolution

from tfrnnc.layers import DeconvLSTMCell

FILTERS, CHANNELS = 4, 3


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (2, 5)])
@pytest.mark.parametrize("recurrent_kernel_size", [1, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_equals_the_equations_over_several_steps(strides, kernel_size, recurrent_kernel_size, size):
    rng = np.random.default_rng(0)
    cell = DeconvLSTMCell(FILTERS, kernel_size, strides, recurrent_kernel_size)
    cell.build((None, None, None, CHANNELS))
    cell.bias.assign(rng.normal(size=cell.bias.shape))
    weights = [np.float64(weight) for weight in cell.get_weights()]
    state_shape = (2, size[0] * strides, size[1] * strides, FILTERS)
    states = expected = [rng.normal(size=state_shape).astype(np.float32) for _ in range(2)]
    for _ in range(2):
        inputs = rng.normal(size=(2, *size, CHANNELS)).astype(np.float32)
        output, states = cell(inputs, states)
        expected = deconv_lstm(inputs, expected, *weights, stride=strides)
        np.testing.assert_allclose(output, expected[0], atol=1e-5)
        np.testing.assert_array_equal(states[0], output)
        np.testing.assert_allclose(states[1], expected[1], atol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_the_reference_is_the_adjoint_of_the_convolution(strides, kernel_size):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(kernel_size, kernel_size, 3, 4))
    small, large = rng.normal(size=(1, 4, 5, 4)), rng.normal(size=(1, 4 * strides, 5 * strides, 3))
    np.testing.assert_allclose(
        np.vdot(convolution(large, kernel, strides), small),
        np.vdot(large, transposed_convolution(small, kernel, strides)),
    )


def test_only_the_forget_gate_starts_with_a_bias():
    cell = DeconvLSTMCell(FILTERS, 2, 2, forget_bias=1.5)
    cell.build((None, None, None, CHANNELS))
    i, f, o, g = np.split(np.asarray(cell.bias), 4)
    np.testing.assert_array_equal(f, np.full(FILTERS, 1.5))
    np.testing.assert_array_equal([i, o, g], np.zeros((3, FILTERS)))


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("size", [(6, 6), (7, 5), (1, 2)])
def test_output_shape(size, strides):
    cell = DeconvLSTMCell(FILTERS, 3, strides)
    shape = (2, size[0] * strides, size[1] * strides, FILTERS)
    output, states = cell(np.ones((2, *size, 3)), [np.zeros(shape)] * 2)
    assert [tuple(each.shape) for each in (output, *states)] == [shape] * 3
    assert cell.compute_output_shape((2, *size, 3)) == shape
    assert cell.compute_output_shape((None, None, None, 3)) == (None, None, None, FILTERS)
