import numpy as np
import pytest
from numpy_reference import patch_lstm

from tfrnnc.layers import PatchLSTMCell


@pytest.mark.parametrize("grid", [(1, 1), (2, 3), (3, 2)])
@pytest.mark.parametrize("units", [1, 5])
def test_equals_the_equations_over_several_steps(units, grid):
    rng = np.random.default_rng(0)
    cell = PatchLSTMCell(units)
    cell.build((None, None, None, 4))
    cell.cell.bias.assign(rng.normal(size=cell.cell.bias.shape))
    weights = [np.float64(weight) for weight in cell.get_weights()]
    states = expected = [rng.normal(size=(2, *grid, units)).astype(np.float32) for _ in range(2)]
    for _ in range(3):
        inputs = rng.normal(size=(2, *grid, 4)).astype(np.float32)
        output, states = cell(inputs, states)
        expected = patch_lstm(inputs, expected, *weights)
        np.testing.assert_allclose(output, expected[0], atol=1e-5)
        np.testing.assert_array_equal(states[0], output)
        np.testing.assert_allclose(states[1], expected[1], atol=1e-5)


def test_only_the_forget_gate_starts_with_a_bias():
    cell = PatchLSTMCell(6)
    cell.build((None, None, None, 4))
    i, f, g, o = np.split(np.asarray(cell.cell.bias), 4)
    np.testing.assert_array_equal(f, np.ones(6))
    np.testing.assert_array_equal([i, g, o], np.zeros((3, 6)))


def test_patches_know_nothing_of_each_other():
    rng = np.random.default_rng(0)
    cell = PatchLSTMCell(5)
    inputs = rng.normal(size=(2, 2, 3, 4)).astype(np.float32)
    states = [rng.normal(size=(2, 2, 3, 5)).astype(np.float32) for _ in range(2)]
    output, _ = cell(inputs, states)
    inputs[1, 0, 2] += 1
    changed, _ = cell(inputs, states)
    differs = np.any(np.asarray(output) != np.asarray(changed), axis=-1)
    assert np.argwhere(differs).tolist() == [[1, 0, 2]]


def test_output_shape():
    assert PatchLSTMCell(5).compute_output_shape((None, 2, None, 4)) == (None, 2, None, 5)
