import json

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from helpers.models import TINY_LAYOUTS, tiny_config
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.model_folder.file_names import CONFIG_FILE, WEIGHTS_FILE
from tfrnnc.model_folder.keras_model import (
    load_model,
    load_weights,
    model_config,
    model_from_config,
    model_id,
    save_model,
    weights_content,
)

ALL = sorted(TINY_LAYOUTS)
WIDER = ["space_to_depth 8", "dense 17"]
DEEPER = ["space_to_depth 8", "dense 16", "dense 16"]


def tiny_model(arch, **settings):
    return model_from_config(tiny_config(arch, **settings))


def random_images():
    return np.random.default_rng(0).uniform(-0.9, 0.9, (2, 16, 24, 3)).astype(np.float32)


def change_config(folder, **changes):
    path = folder / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def saved(tmp_path):
    """A folder with a saved model."""
    save_model(tiny_model("fc"), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("arch", ALL)
def test_round_trip(arch, tmp_path):
    model = tiny_model(arch)
    save_model(model, tmp_path / "new" / "folder")
    loaded = load_model(str(tmp_path / "new" / "folder"))
    assert type(loaded) is type(model)
    assert model_config(loaded) == model_config(model)
    assert model_id(loaded) == model_id(model)
    np.testing.assert_array_equal(loaded(random_images()), model(random_images()))


def test_saving_again_replaces_the_model(saved):
    model = tiny_model("conv_lstm")
    save_model(model, saved)
    assert model_id(load_model(saved)) == model_id(model)
    assert sorted(path.name for path in saved.iterdir()) == sorted([CONFIG_FILE, WEIGHTS_FILE])


def test_no_optimiser_state_is_saved(tmp_path):
    model = tiny_model("fc_lstm", iterations=1)
    model.compile(optimizer="adam", jit_compile=False)
    model.fit(random_images(), epochs=1, verbose=0)
    save_model(model, tmp_path)
    model.save_weights(tmp_path / "all.weights.h5")
    with h5py.File(tmp_path / "all.weights.h5") as everything:
        assert "optimizer" in everything
    with h5py.File(tmp_path / WEIGHTS_FILE) as weights:
        assert "optimizer" not in weights
    sizes = [(tmp_path / name).stat().st_size for name in (WEIGHTS_FILE, "all.weights.h5")]
    assert sizes[0] < sizes[1]
    np.testing.assert_array_equal(load_model(tmp_path)(random_images()), model(random_images()))


@pytest.mark.parametrize("arch", ALL)
def test_config_names_all_that_makes_the_model(arch):
    model = tiny_model(arch, iterations=2)
    config = json.loads(json.dumps(model_config(model)))
    assert model_config(model_from_config(config)) == config


def test_left_out_settings_are_the_papers():
    model = model_from_config({"arch": "fc"})
    assert (model.bits, model.iterations, model.stage_weights) == (8, 16, "distinct")


@pytest.mark.parametrize("arch", ALL)
def test_id_changes_with_the_last_bit_of_any_weight(arch):
    model = tiny_model(arch)
    ids = {model_id(model)}
    for variable in model.trainable_variables:
        values = ops.convert_to_numpy(variable)
        changed = values.copy()
        changed.flat[-1] = np.nextafter(values.flat[-1], np.float32(np.inf))
        variable.assign(changed)
        ids.add(model_id(model))
        variable.assign(values)
    assert len(ids) == 1 + len(model.trainable_variables)


@pytest.mark.parametrize("arch", ALL)
def test_id_depends_on_the_weights_and_not_on_names(arch):
    model = tiny_model(arch)
    # A model built after others has other names: conv2d_17 for conv2d.
    keras.layers.Conv2D(1, 1), keras.layers.Dense(1), keras.layers.Conv2DTranspose(1, 1)
    twin = tiny_model(arch)
    assert model_id(twin) != model_id(model)
    twin.set_weights(model.get_weights())
    assert [each.path for each in twin.variables] != [each.path for each in model.variables]
    assert model_id(twin) == model_id(model)
    assert len(model_id(model)) == 4


def test_id_does_not_change_in_use_and_changes_in_training():
    model = tiny_model("fc_lstm", iterations=1)
    before = model_id(model)
    model(random_images())
    model(random_images(), training=True)
    assert model_id(model) == before
    model.compile(optimizer="adam", jit_compile=False)
    model.fit(random_images(), epochs=1, verbose=0)
    assert model_id(model) != before


def test_id_of_a_frozen_model_covers_the_weights():
    model = tiny_model("fc")
    before = model_id(model)
    model.trainable = False
    assert model_id(model) == before


@pytest.mark.parametrize("arch", ALL)
def test_id_ignores_how_many_iterations_share_the_weights(arch):
    few = tiny_model(arch, iterations=2, stage_weights="shared")
    many = tiny_model(arch, iterations=5, stage_weights="shared")
    many.set_weights(few.get_weights())
    assert model_id(many) == model_id(few)


@pytest.mark.parametrize("arch", ["conv", "fc"])
def test_id_depends_on_the_iterations_where_each_has_its_own_weights(arch):
    few = tiny_model(arch, iterations=2)
    many = tiny_model(arch, iterations=3)
    for kind in ("encoders", "decoders"):
        for stage, twin in zip(getattr(few, kind), getattr(many, kind), strict=False):
            twin.set_weights(stage.get_weights())
    assert model_id(many) != model_id(few)


def test_id_tells_shared_from_distinct_weights_and_layouts_apart():
    models = [
        tiny_model("fc", iterations=1, stage_weights="shared"),
        tiny_model("fc", iterations=1, stage_weights="distinct"),
        tiny_model("fc", iterations=1, encoder=["space_to_depth 8", "dense 16 linear"]),
    ]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    assert len({model_id(model) for model in models}) == 3


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "unknown architecture None"),
        ({"arch": "rnn"}, "unknown architecture 'rnn'; there are fc, fc_lstm, conv, conv_lstm"),
        ({"arch": "fc", "layers": 3}, "unknown settings .'layers'."),
        ({"arch": "fc", "seed": 1}, "unknown settings .'seed'."),
        ({"arch": "fc", "iterations": 0}, "iterations"),
        ({"arch": "fc", "bits": 2.5}, "bits"),
        ({"arch": "conv", "encoder": ["conv 3x3"]}, "conv 3x3"),
        ({"arch": "conv_lstm", "stage_weights": "distinct"}, "shares its weights"),
    ],
)
def test_refuses_configurations_that_are_not_usable(config, message):
    with pytest.raises(ConfigError, match=message):
        model_from_config(config)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere.*config.json"):
        load_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '"fc"', "{}", '{"arch": "fc"}', "\xff\xfe"],
    ids=repr,
)
def test_a_broken_config_is_named(saved, text):
    (saved / CONFIG_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match="model.config.json"):
        load_model(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch": "rnn"}, "rnn"),
        ({"arch": []}, ""),
        ({"layers": 3}, "layers"),
        ({"iterations": "3"}, "iterations"),
        ({"encoder": 3}, ""),
        ({"encoder": "dense 4"}, ""),
        ({"decoder": ["dense 0"]}, "dense 0"),
    ],
    ids=repr,
)
def test_a_config_that_is_not_usable_is_named(saved, changes, message):
    change_config(saved, **changes)
    with pytest.raises(ModelError, match=f"model.config.json.*{message}"):
        load_model(saved)


def test_missing_weights_are_named(saved):
    (saved / WEIGHTS_FILE).unlink()
    with pytest.raises(ModelError, match=WEIGHTS_FILE):
        load_model(saved)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a weights file",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data.replace(b"TREE", b"tree"),
        lambda data: data.replace(b"HEAP", b"heap"),
    ],
    ids=["empty", "text", "half", "last byte cut", "no index", "no names"],
)
def test_broken_weights_are_named(saved, damage):
    path = saved / WEIGHTS_FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=WEIGHTS_FILE):
        load_model(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": 2},
        {"iterations": 4},
        {"stage_weights": "shared"},
        {"encoder": WIDER},
        {"encoder": DEEPER},
        {"encoder": WIDER[:1]},
        {"bits": 5},
        {"arch": "conv_lstm", **TINY_LAYOUTS["conv_lstm"], "stage_weights": "shared"},
    ],
    ids=repr,
)
def test_weights_of_another_configuration_are_refused(saved, changes):
    change_config(saved, **changes)
    with pytest.raises(ModelError, match=WEIGHTS_FILE):
        load_model(saved)
    model = model_from_config({**model_config(tiny_model("fc")), **changes})
    with pytest.raises(ModelError, match=WEIGHTS_FILE):
        load_weights(model, saved / WEIGHTS_FILE)


def test_weights_of_another_model_are_refused(saved, tmp_path):
    save_model(tiny_model("fc"), tmp_path / "other")
    (tmp_path / "other" / WEIGHTS_FILE).replace(saved / WEIGHTS_FILE)
    with pytest.raises(ModelError, match=WEIGHTS_FILE):
        load_model(saved)


def test_weights_are_saved_outside_of_a_distribution(monkeypatch):
    """Under one Keras would make variables on all workers, while one alone saves."""
    model = tiny_model("fc")
    distributions = []
    save_weights = model.save_weights

    def watched(file):
        distributions.append(keras.distribution.distribution())
        save_weights(file)

    monkeypatch.setattr(model, "save_weights", watched)
    distribution = object()
    keras.distribution.set_distribution(distribution)
    try:
        weights_content(model)
        assert keras.distribution.distribution() is distribution
    finally:
        keras.distribution.set_distribution(None)
    assert distributions == [None]
