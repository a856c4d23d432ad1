from __future__ import annotations

import keras
import numpy as np
import pytest

from tfrnnc.bitstream import EntropyModel, as_plane
from tfrnnc.bitstream.constants import EXACT
from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.models.entropy_network import LOGIT_UNIT, EntropyNetwork

SHAPES = [(1, 1), (1, 5), (4, 4), (7, 6)]


@pytest.fixture(scope="module", params=[(8, 4), (5, 2), (3, 3), (1, 1)])
def network(request):
    """A network whose every layer matters: large random weights and biases."""
    bits, groups = request.param
    keras.utils.set_random_seed(5)
    network = EntropyNetwork(3, bits, groups=groups, hidden=6, width=4)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.4, weight.shape) for weight in network.get_weights()])
    return network


def planes_of(shape, bits, seed=0):
    rng = np.random.default_rng(seed)
    return as_plane(rng.random((3, *shape, bits)) < 0.4)


@pytest.mark.parametrize("shape", SHAPES)
def test_keras_and_the_integers_agree_to_the_bit(network, shape):
    model = network.to_entropy_model(b"test")
    planes = planes_of(shape, network.bits)
    logits = np.asarray(network(planes[None].astype(np.float32)))[0]
    for iteration, plane in enumerate(planes):
        known = np.zeros_like(plane)
        found = np.zeros((plane[..., 0].size, network.bits), int)
        for part in model.passes(list(planes[:iteration]), known):
            found[part.locations, part.channels] = part.probabilities
            target = known.reshape(found.shape)
            target[part.locations, part.channels] = plane.reshape(found.shape)[
                part.locations, part.channels
            ]
        index = np.rint(logits[iteration] / LOGIT_UNIT - 0.5).astype(int) + 128
        np.testing.assert_array_equal(PROBABILITIES[index].reshape(found.shape), found)
        assert len(np.unique(found)) > 1 or found.size == 1


def test_the_file_is_the_same_model(network):
    content = network.to_entropy_model(b"test").to_bytes()
    again = EntropyModel.from_bytes(content)
    assert again.to_bytes() == content
    assert (again.model_id, again.bits, len(again.iterations)) == (b"test", network.bits, 3)


def test_the_integers_make_the_same_network_again(network):
    model = network.to_entropy_model(b"test")
    again = EntropyNetwork.from_entropy_model(model)
    assert again.to_entropy_model(b"test").to_bytes() == model.to_bytes()


def test_gradients_reach_every_weight(network):
    weights = [np.array(weight) for weight in network.get_weights()]
    network.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    planes = np.stack([planes_of((6, 6), network.bits, seed) for seed in range(4)])
    network.train_on_batch(planes.astype(np.float32))
    moved = [
        np.any(before != after)
        for before, after in zip(weights, network.get_weights(), strict=True)
    ]
    names = [weight.path for weight in network.weights]
    # The layers that see earlier iterations have a bias that is not used.
    unused = [name for name, did in zip(names, moved, strict=True) if not did]
    assert all("from_context" in name and name.endswith("bias") for name in unused)
    network.set_weights(weights)


def test_it_learns_what_there_is_to_learn():
    """Bits that repeat the iteration before, and neighbours, end at a fraction of a bit."""
    rng = np.random.default_rng(1)
    keras.utils.set_random_seed(1)
    network = EntropyNetwork(2, 4, groups=2, hidden=8, width=8)
    network.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    for _ in range(150):
        cells = np.repeat(np.repeat(rng.choice([-1.0, 1.0], (16, 1, 2, 2, 4)), 3, 2), 3, 3)
        loss = network.train_on_batch(np.repeat(cells, 2, axis=1).astype(np.float32))
    assert float(loss) < 0.3


def test_weights_that_cannot_be_summed_exactly():
    network = EntropyNetwork(2, 255, groups=1, hidden=999, width=1)
    network.contexts[0][1].kernel.assign(np.ones_like(network.contexts[0][1].kernel))
    assert EXACT < 9 * 999 * 127 * 255
    with pytest.raises(ModelError, match="iteration 2"):
        network.to_entropy_model(b"test")


@pytest.mark.parametrize("settings", [{"groups": 0}, {"groups": 9}, {"hidden": 0}, {"width": 0}])
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigError, match="no entropy model"):
        EntropyNetwork(2, 8, **settings)


@pytest.mark.parametrize("threads", [1, 2])
def test_litert_agrees_to_the_bit(network, threads, tmp_path):
    """Another runtime, with other kernels and another order of summation."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    planes = np.stack([planes_of((6, 9), network.bits, seed) for seed in range(2)])
    planes = planes.astype(np.float32)
    module = tf.Module()
    module.variables_kept = [variable.value for variable in network.variables]
    graph = tf.function(network.call).get_concrete_function(tf.TensorSpec(planes.shape, tf.float32))
    tf.saved_model.save(module, tmp_path, signatures=graph)
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], planes)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_array_equal(found, np.asarray(network(planes)))
    # One image at a time gives the same as both at once.
    np.testing.assert_array_equal(found[:1], np.asarray(network(planes[:1])))


def test_split_into_more_groups():
    whole = EntropyNetwork(3, 8, groups=2, hidden=6, width=4)
    rng = np.random.default_rng(0)
    whole.set_weights([rng.normal(0, 0.4, weight.shape) for weight in whole.get_weights()])
    planes = planes_of((5, 6), 8)[None].astype(np.float32)
    np.testing.assert_array_equal(whole.split(2)(planes), whole(planes))
    parts = whole.split(4)
    assert (parts.groups, parts.hidden, parts.width) == (4, 6, 4)
    # A bit knows less of its own group's others, and as much of everything else.
    for layer in whole.from_planes:
        kernel = keras.ops.convert_to_numpy(layer.kernel).reshape(3, 3, 8, 2, 4).copy()
        kernel[:, :, :4, 0] = kernel[:, :, 4:, 1] = 0
        layer.kernel.assign(kernel.reshape(layer.kernel.shape))
    assert np.mean(np.asarray(parts(planes)) != np.asarray(whole(planes))) > 0.1
    np.testing.assert_array_equal(whole.split(4)(planes), whole(planes))


@pytest.mark.parametrize("groups", [0, 1, 3, 5, 10])
def test_a_split_that_does_not_divide_the_groups(groups):
    with pytest.raises(ConfigError, match="of 2 groups of 8 bits cannot be divided"):
        EntropyNetwork(1, 8, groups=2).split(groups)
