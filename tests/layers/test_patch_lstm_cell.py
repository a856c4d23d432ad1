import keras
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
    cell.bias.assign(rng.normal(size=cell.bias.shape))
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
    i, f, o, g = np.split(np.asarray(cell.bias), 4)
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


def test_is_keras_own_cell_with_the_papers_order_of_gates():
    """Keras has the candidate before the output gate; everywhere here it is the last."""
    rng = np.random.default_rng(0)
    cell, keras_cell = PatchLSTMCell(5), keras.layers.LSTMCell(5)
    cell.build((None, None, None, 4))
    keras_cell.build((None, 4))

    def in_keras_order(weight):
        i, f, o, g = np.split(weight, 4, axis=-1)
        return np.concatenate([i, f, g, o], axis=-1)

    keras_cell.set_weights(
        [in_keras_order(weight.reshape(-1, 20).squeeze()) for weight in cell.get_weights()]
    )
    inputs = rng.normal(size=(6, 1, 1, 4)).astype(np.float32)
    states = [rng.normal(size=(6, 1, 1, 5)).astype(np.float32) for _ in range(2)]
    output, new_states = cell(inputs, states)
    expected, expected_states = keras_cell(inputs[:, 0, 0], [state[:, 0, 0] for state in states])
    np.testing.assert_allclose(output[:, 0, 0], expected, atol=1e-6)
    for one, other in zip(new_states, expected_states, strict=True):
        np.testing.assert_allclose(one[:, 0, 0], other, atol=1e-6)


def test_starts_from_zeros():
    states = PatchLSTMCell(5).get_initial_state(2, 3, 4)
    assert [tuple(state.shape) for state in states] == [(2, 3, 4, 5)] * 2
    assert not any(np.asarray(state).any() for state in states)
    assert PatchLSTMCell(5).state_size == [5, 5]
