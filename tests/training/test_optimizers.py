"""The optimiser against an independent transcription of its update in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfrnnc.layers import Conv2D, ConvLSTMCell, DeconvLSTMCell
from tfrnnc.training.optimizers import Adam, MatrixForm, Muon, matrix_forms, orthogonal_update

LEARNING_RATE, ADAM_LEARNING_RATE = 0.03, 0.002


def reference_matrix(matrix: np.ndarray) -> np.ndarray:
    """Newton-Schulz on one matrix (rows, columns), scaled, in double precision."""
    rows, columns = matrix.shape
    x = matrix.astype(np.float64)
    x = x / (np.sqrt((x**2).sum()) + 1e-7)
    for _ in range(5):
        # On the smaller side; both sides give the same polynomial of the singular values.
        gram = x.T @ x
        x = 3.4445 * x + x @ (-4.7750 * gram + 2.0315 * gram @ gram)
    return x * np.sqrt(max(1, rows / columns))


def reference_update(direction: np.ndarray, form: MatrixForm) -> np.ndarray:
    if form.transposed:
        direction = np.swapaxes(direction, -1, -2)
    matrix = direction.reshape(-1, direction.shape[-1])
    parts = [reference_matrix(part) for part in np.split(matrix, form.gates, axis=1)]
    update = np.concatenate(parts, axis=1).reshape(direction.shape)
    return np.swapaxes(update, -1, -2) if form.transposed else update


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        ((3, 3, 8, 24), MatrixForm()),
        ((1, 1, 40, 8), MatrixForm()),
        ((3, 3, 8, 48), MatrixForm(gates=4)),
        ((2, 2, 32, 12), MatrixForm(transposed=True)),
        ((2, 2, 32, 12), MatrixForm(gates=4, transposed=True)),
        ((40, 64), MatrixForm(gates=4)),
    ],
)
def test_the_update_is_that_of_the_transcription(shape, form):
    direction = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    update = keras.ops.convert_to_numpy(orthogonal_update(keras.ops.array(direction), form))
    np.testing.assert_allclose(update, reference_update(direction, form), atol=2e-5)


def test_gates_are_orthogonalised_each_by_itself():
    direction = np.random.default_rng(2).normal(size=(3, 3, 8, 48)).astype(np.float32)
    direction[..., 12:] *= 1000
    first = orthogonal_update(keras.ops.array(direction), MatrixForm(gates=4))[..., :12]
    alone = orthogonal_update(keras.ops.array(direction[..., :12]), MatrixForm())
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(alone), atol=1e-5
    )


def test_forms_of_a_codecs_layers():
    cell = ConvLSTMCell(8, 3, name="cell")
    cell.build((None, None, None, 4))
    deconv = DeconvLSTMCell(8, 2, name="deconv")
    deconv.build((None, None, None, 8))
    colour = Conv2D(16, 3, padding="same", name="colour")
    colour.build((None, None, None, 3))
    forms = matrix_forms([cell, deconv, colour])
    assert forms == {
        cell.kernel.path: MatrixForm(gates=4),
        deconv.kernel.path: MatrixForm(gates=4, transposed=True),
    }  # the hidden kernels have 8 rows and the one on colours 27, fewer than 32


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_training_takes_nesterov_steps_for_kernels_and_adams_for_the_rest(weight_decay):
    """Three steps on given gradients, against both rules written out."""
    rng = np.random.default_rng(3)
    kernel = keras.Variable(rng.normal(size=(1, 1, 40, 8)).astype(np.float32), name="kernel")
    bias = keras.Variable(rng.normal(size=8).astype(np.float32), name="bias")
    optimizer = Muon(
        LEARNING_RATE,
        ADAM_LEARNING_RATE,
        {kernel.path: MatrixForm()},
        weight_decay=weight_decay,
    )
    optimizer.build([kernel, bias])
    expected_kernel, expected_bias = (
        keras.ops.convert_to_numpy(variable).astype(np.float64) for variable in (kernel, bias)
    )
    momentum, first, second = 0.0, 0.0, 0.0
    for step in range(1, 4):
        gradients = [rng.normal(size=variable.shape) for variable in (kernel, bias)]
        optimizer.apply([keras.ops.array(g.astype(np.float32)) for g in gradients])
        momentum = 0.95 * momentum + gradients[0]
        direction = gradients[0] + 0.95 * momentum
        expected_kernel -= LEARNING_RATE * (
            reference_update(direction, MatrixForm()) + weight_decay * expected_kernel
        )
        first = 0.9 * first + 0.1 * gradients[1]
        second = 0.99 * second + 0.01 * gradients[1] ** 2
        corrected = first / (1 - 0.9**step), second / (1 - 0.99**step)
        expected_bias -= ADAM_LEARNING_RATE * corrected[0] / (np.sqrt(corrected[1]) + 1e-7)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), expected_kernel, atol=1e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(bias), expected_bias, atol=1e-4)


def test_both_learning_rates_follow_one_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.03, 0.003])
    variable = keras.Variable(np.zeros(4, np.float32), name="bias")
    optimizer = Muon(schedule, 2e-3, {}, peak_learning_rate=0.03)
    optimizer.build([variable])
    optimizer.apply([keras.ops.ones(4)])
    optimizer.apply([keras.ops.ones(4)])
    at_peak = keras.ops.convert_to_numpy(variable)
    optimizer.apply([keras.ops.ones(4)])
    moved = keras.ops.convert_to_numpy(variable) - at_peak
    np.testing.assert_allclose(moved, at_peak / 2 / 10, rtol=1e-3)


def test_the_configuration_makes_the_same_optimiser():
    optimizer = Muon(0.03, 2e-3, {"a/kernel": MatrixForm(4, True)}, weight_decay=0.1)
    again = Muon.from_config(optimizer.get_config())
    assert again.get_config()["weight_decay"] == 0.1
    assert again.forms == optimizer.forms
    assert again.adam_learning_rate == 2e-3
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("make", [lambda **k: Adam(0.1, **k), lambda **k: Muon(0.1, 0.1, {}, **k)])
def test_averages_forget_the_start_and_stay_beside_the_weights(make):
    optimizer = make(use_ema=True, ema_momentum=0.99)
    variable = keras.Variable(np.zeros(2, np.float32), name="bias")
    optimizer.build([variable])
    average = None
    for step in range(1, 21):
        optimizer.apply([keras.ops.ones(2)])
        weights = keras.ops.convert_to_numpy(variable)
        momentum = min(step / (9 + step), 0.99)
        before = np.zeros(2) if average is None else average
        average = momentum * before + (1 - momentum) * weights
    found = keras.ops.convert_to_numpy(optimizer._model_variables_moving_average[0])
    np.testing.assert_allclose(found, average, rtol=1e-5)
    optimizer.finalize_variable_values([variable])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), weights)
