from __future__ import annotations

import json
import pickle
import re

import pytest

import tfrnnc
from tfrnnc.bitstream import EntropyModel
from tfrnnc.errors import ModelError
from tfrnnc.model_folder import presets
from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import DEFAULT_PRESET, PRESETS_FOLDER, find_model, identify


@pytest.fixture
def folder(tmp_path):
    return ModelFolder(tmp_path)


def test_an_empty_folder_holds_nothing_and_says_what_is_missing(folder):
    holds = (folder.has_config, folder.has_weights, folder.is_exported, folder.has_entropy_model)
    assert holds == (False, False, False, False)
    assert not folder.is_training_run
    assert folder.read_entropy_model() is None
    assert not folder.copy_entropy_model(folder)
    for name, read in (
        ("config.json", folder.read_config),
        ("manifest.json", folder.read_manifest),
        ("config.json", folder.read_identity),
        ("training.json", folder.read_settings),
        ("entropy_training.json", folder.read_entropy_settings),
        ("log.csv", folder.read_log),
        ("entropy_log.csv", folder.read_entropy_log),
        ("MODEL_CARD.md", folder.read_model_card),
    ):
        with pytest.raises(ModelError, match=re.escape(name)):
            read()


def test_broken_files_are_named(folder):
    for name, read in (
        ("training.json", folder.read_settings),
        ("log.csv", folder.read_log),
        ("MODEL_CARD.md", folder.read_model_card),
        ("config.json", folder.read_config),
        ("manifest.json", folder.read_manifest),
    ):
        (folder.path / name).write_bytes(b"\xff\xfe[1")
        with pytest.raises(ModelError, match=re.escape(name)):
            read()


def test_the_entropy_model(folder, tmp_path):
    content = find_model(DEFAULT_PRESET).entropy_model_path.read_bytes()
    folder.entropy_model_path.write_bytes(content)
    model = folder.read_entropy_model()
    assert isinstance(model, EntropyModel)
    assert model.to_bytes() == content
    (tmp_path / "other").mkdir()
    other = ModelFolder(tmp_path / "other")
    assert folder.copy_entropy_model(other)
    assert other.entropy_model_path.read_bytes() == content

    folder.entropy_model_path.write_bytes(content[:100])
    with pytest.raises(ModelError, match=rf"{ENTROPY_MODEL_FILE}: .* train it again"):
        folder.read_entropy_model()
    folder.entropy_model_path.unlink()
    folder.entropy_model_path.mkdir()
    with pytest.raises(ModelError, match=ENTROPY_MODEL_FILE):
        folder.read_entropy_model()


def test_a_preset_is_pickled_by_its_name(tmp_path):
    preset = find_model(DEFAULT_PRESET)
    assert str(PRESETS_FOLDER).encode() not in pickle.dumps(preset)
    assert pickle.loads(pickle.dumps(preset)) == preset
    assert pickle.loads(pickle.dumps(ModelFolder(tmp_path))) == ModelFolder(tmp_path)


def test_the_identity_of_files_that_were_only_exported(folder):
    """`tfrnnc-export` writes no config."""
    preset = find_model(DEFAULT_PRESET)
    for path in (preset.manifest_path, preset.entropy_model_path):
        (folder.path / path.name).write_bytes(path.read_bytes())
    expected = preset.read_identity()
    assert folder.read_identity() == ModelIdentity(expected.model_id, expected.entropy_coded_id)


def test_a_stream_names_its_model_the_same_either_way():
    codec = tfrnnc.load()
    plain, coded = codec.identity.stream_id(False), codec.identity.stream_id(True)
    assert plain != coded
    assert identify(plain, False) == identify(coded, True) == codec.identity
    assert str(codec.identity).startswith(f"{DEFAULT_PRESET} {plain.hex()}")


def test_a_model_that_is_not_known():
    assert str(identify(b"\1\2\3\4", False)) == "model 01020304"
    assert str(identify(b"\1\2\3\4", True)) == "model unknown (entropy-coded 01020304)"


def test_looking_for_models_keeps_nothing_of_those_that_are_not_known():
    identify(b"\0\0\0\0", False)
    known = len(presets._identities())
    for number in range(1000):
        identify(number.to_bytes(4, "big"), bool(number % 2))
    assert len(presets._identities()) == known <= 2 * len(presets.list_presets())
    assert presets._identities.cache_info().currsize == 1


def test_the_settings_of_a_run(folder):
    (folder.path / "training.json").write_text(json.dumps({"command": "tfrnnc-train"}))
    assert folder.is_training_run
    assert folder.read_settings() == {"command": "tfrnnc-train"}
