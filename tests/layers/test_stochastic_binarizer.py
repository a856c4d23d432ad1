import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tfrnnc.layers import StochasticBinarizer


def binarize(values, training, seed=1):
    bits = StochasticBinarizer(seed)(ops.convert_to_tensor(values, "float32"), training=training)
    return ops.convert_to_numpy(bits)


@pytest.mark.parametrize("training", [False, True])
def test_gradient_passes_through_unchanged(training):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.uniform(-1, 1, (3, 50)), tf.float32)
    weights = tf.constant(rng.normal(size=(3, 50)), tf.float32)
    binarizer = StochasticBinarizer(seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(weights * binarizer(x, training=training))
    np.testing.assert_array_equal(tape.gradient(total, x), weights)


@pytest.mark.parametrize("training", [False, True])
def test_values_are_exactly_plus_or_minus_one(training):
    values = np.random.default_rng(0).uniform(-1, 1, 10000).astype(np.float32)
    bits = binarize(values, training)
    assert bits.shape == values.shape
    assert bits.dtype == np.float32
    assert set(bits.tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("x", [-1.0, -0.9, -0.25, 0.0, 0.5, 1.0])
def test_share_of_plus_one_in_training(x):
    draws = 40000
    share = np.mean(binarize(np.full(draws, x), training=True) == 1)
    chance = (1 + x) / 2
    sigma = np.sqrt(chance * (1 - chance) / draws)
    # At the ends sigma is zero: the share is exact.
    assert abs(share - chance) <= 5 * sigma


@pytest.mark.parametrize("noise", [0.0, np.nextafter(np.float32(1), np.float32(0))])
def test_the_ends_are_certain_whatever_is_drawn(monkeypatch, noise):
    monkeypatch.setattr(keras.random, "uniform", lambda shape, **_: ops.full(shape, noise))
    assert binarize([-1.0, 1.0], training=True).tolist() == [-1, 1]


def test_bits_of_neighbours_are_independent_in_training():
    bits = binarize(np.zeros((20000, 2)), training=True)
    assert abs(np.mean(bits[:, 0] * bits[:, 1])) <= 5 / np.sqrt(len(bits))


def test_the_sign_in_use_with_zero_as_plus_one():
    tiny = np.finfo(np.float32).tiny
    bits = binarize([-1.0, -0.3, -tiny, -0.0, 0.0, tiny, 0.3, 1.0], training=False)
    assert bits.tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]


def test_the_same_seed_gives_the_same_bits_and_calls_differ():
    x = ops.zeros((8, 100))
    first, second = StochasticBinarizer(seed=5), StochasticBinarizer(seed=5)
    calls = [ops.convert_to_numpy(first(x, training=True)) for _ in range(3)]
    for call in calls:
        np.testing.assert_array_equal(ops.convert_to_numpy(second(x, training=True)), call)
    assert not np.array_equal(calls[0], calls[1])
    assert not np.array_equal(calls[1], calls[2])
    assert not np.array_equal(binarize(x, training=True, seed=6), calls[0])


def test_calls_differ_inside_one_graph_too():
    binarizer = StochasticBinarizer(seed=5)

    @tf.function
    def twice(x):
        return binarizer(x, training=True), binarizer(x, training=True)

    first, second = twice(tf.zeros((8, 100)))
    third, _ = twice(tf.zeros((8, 100)))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_unseeded_layers_differ():
    x = ops.zeros((8, 100))
    first, second = (StochasticBinarizer()(x, training=True) for _ in range(2))
    assert not np.array_equal(first, second)


def test_config_round_trip():
    layer = StochasticBinarizer(seed=7, name="b")
    twin = StochasticBinarizer.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        ).get_config()
        == layer.get_config()
    )
    x = ops.zeros((8, 100))
    np.testing.assert_array_equal(layer(x, training=True), twin(x, training=True))
