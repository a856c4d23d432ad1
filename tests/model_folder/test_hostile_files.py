"""Whatever a manifest or a config holds, reading it ends in an error that names the file."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil

import numpy as np
import pytest

import tfrnnc
from tfrnnc.errors import ModelError, TfrnncError
from tfrnnc.model_folder import model_folder
from tfrnnc.model_folder.keras_model import load_model
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime

VALUES = [
    None, True, False, -1, 0, 1, 2, 3, 7, 2.5, -0.0, 1e308, 10**12, 10**400, float("nan"),
    float("inf"), "", "8", "../encoder_1.tflite", "/etc/passwd", "..", "a\0b", "\ud800", "conv 3x3",
    "dense 1000000000000", "dense " + 5000 * "9", "conv 3x3/4 s0", "depth_to_space 3", [], [[]],
    [1, 2], [0, 0], {}, {"a": 1}, 100 * [{}],
]  # fmt: skip


def places(value, path=()):
    """The paths of all values in a JSON object."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield (*path, key)
            yield from places(inner, (*path, key))


def mutated(values: dict, number: int) -> str:
    """A JSON text with one or two values replaced, left out or added, or a character changed."""
    draw = random.Random(number)
    values = copy.deepcopy(values)
    for _ in range(draw.choice([1, 1, 2])):
        path = draw.choice(list(places(values)) or [("a",)])
        holder = values
        for key in path[:-1]:
            holder = holder[key]
        kind = draw.random()
        value = holder[path[-1]]
        if kind > 0.6 and type(value) is int:  # of the right type and often in range
            holder[path[-1]] = draw.choice([value + 1, 2 * value, value // 2])
        elif kind < 0.1:
            del holder[path[-1]]
        elif kind < 0.2 and isinstance(holder, dict):
            holder["unheard_of"] = draw.choice(VALUES)
        else:
            holder[path[-1]] = draw.choice(VALUES)
    text = json.dumps(values)
    if draw.random() < 0.2:
        place = draw.randrange(len(text))
        text = text[:place] + draw.choice('{}[]",:0-e\\') + text[place + draw.choice([0, 1]) :]
    return text


WHOLE_FILES = [
    "", "{", "[]", "null", "3", '"fc"', "{}", "NaN", '{"a": NaN}', "[" * 100_000,
    '{"a":' * 100_000, "9" * 5000, " " * (1 << 25),
]  # fmt: skip


@pytest.fixture
def copied(tiny_folder, tmp_path):
    return ModelFolder(shutil.copytree(tiny_folder, tmp_path / "model"))


def outcome(use) -> str:
    """ "right", or the message of the error, which must be one of tfrnnc's."""
    try:
        use()
    except TfrnncError as error:
        return str(error)
    return "right"


def test_manifests(copied):
    """What can still be read is either run or refused as well."""
    values = json.loads(copied.manifest_path.read_text())
    image = np.zeros((16, 16, 3), np.uint8)

    def run():
        codec = tfrnnc.load(copied)
        codec.decode(codec.encode(image, iterations=1))

    reads, runs = [], []
    hostile = [*WHOLE_FILES, *(mutated(values, number) for number in range(150))]
    for text in [json.dumps(values), *hostile]:
        copied.manifest_path.write_text(text)
        reads.append(outcome(copied.read_manifest))
        if reads[-1] == "right":
            runs.append(outcome(run))
        else:
            assert "manifest.json: not a manifest" in reads[-1]
    for message in set(runs) - {"right"}:
        assert str(copied.path) in message
    assert runs[0] == "right"
    assert len(runs) < len(reads) - 100


@pytest.mark.skipif(os.name == "nt", reason="no pipes and devices in folders")
@pytest.mark.parametrize("name", ["manifest.json", "encoder_1.tflite", "entropy_model.bin"])
def test_what_is_no_file_is_not_waited_for(copied, name):
    path = copied.path / name
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        path.unlink(missing_ok=True)
        make(path)
        for use in (copied.read_manifest, lambda: tfrnnc.load(copied, runtime="litert")):
            message = outcome(use)
            if name == "manifest.json" or message != "right":
                assert f"{path}: not a regular file" in message


def test_an_entropy_model_that_is_too_large(copied, monkeypatch):
    monkeypatch.setattr(model_folder, "MAX_ENTROPY_MODEL_BYTES", 99)
    copied.entropy_model_path.write_bytes(bytes(100))
    assert f"{copied.entropy_model_path}: larger than 99 bytes" in outcome(copied.read_identity)


@pytest.mark.parametrize("field", ["bits", "stride"])
def test_a_manifest_that_agrees_with_itself_but_not_with_its_files(copied, field):
    values = json.loads(copied.manifest_path.read_text())
    values[field] *= 2
    for kind, tensors in (("encoders", "outputs"), ("decoders", "inputs")):
        for file in values[kind]:
            file[tensors][0]["channels" if field == "bits" else "stride"] *= 2
    copied.manifest_path.write_text(json.dumps(values))
    runtime = LiteRTRuntime(copied)
    refused = pytest.raises(TfrnncError, match=r"tflite: .*export (it|the model) again")
    with refused:
        runtime.encode_iteration(np.zeros((32, 32, 3), np.float32), None, 0)
    plane = np.ones((2, 2, runtime.bits), np.int8)
    with refused:
        runtime.decode_iteration(plane, None, None, 0)


def test_configs(copied):
    values = json.loads(copied.config_path.read_text())
    outcomes = []
    hostile = [*WHOLE_FILES, *(mutated(values, number) for number in range(60))]
    for text in [json.dumps(values), *hostile]:
        copied.config_path.write_text(text)
        outcomes.append(outcome(lambda: load_model(copied)))
    for message in set(outcomes) - {"right"}:
        assert str(copied.path) in message
        assert len(message) < 1000
    assert outcomes[0] == "right"
    assert outcomes.count("right") < 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": 0}, "stride must be a whole number from 1 to 1024, not 0"),
        ({"bits": True}, "bits must be a whole number"),
        ({"iterations": 10**12}, "iterations must be a whole number from 1 to 255"),
        ({"size": [1, 1]}, "size is no multiple of the stride"),
        ({"size": 3}, "size must be a list of 2 to 2 elements, not 3"),
        ({"model_id": "xyz"}, "model_id must be 8 hexadecimal digits"),
        ({"reconstruction": "both"}, 'reconstruction must be "additive" or "one_shot"'),
        ({"reach": 1}, "unknown fields: reach"),
        ({"decoders": []}, "decoders must be a list of 1 to 255 elements"),
    ],
    ids=repr,
)
def test_a_field_of_the_manifest_is_named(copied, changes, message):
    values = json.loads(copied.manifest_path.read_text())
    copied.manifest_path.write_text(json.dumps(values | changes))
    with pytest.raises(ModelError) as caught:
        copied.read_manifest()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": None}, "encoders[0].margin must be a whole number from 0 to 65536, not null"),
        ({"name": "../encoder_1.tflite"}, "encoders[0].name must be the plain name of a file"),
        ({"name": ".."}, "encoders[0].name must be the plain name of a file"),
        ({"sha256": None}, "encoders[0].sha256 must be 64 hexadecimal digits"),
        ({"inputs": []}, "encoders[0].inputs must be a list of 1 to 256 elements"),
        ({"outputs": [3]}, "encoders[0].outputs[0] must be an object, not 3"),
    ],
    ids=repr,
)
def test_a_field_of_a_file_is_named(copied, changes, message):
    values = json.loads(copied.manifest_path.read_text())
    values["encoders"][0] |= changes
    copied.manifest_path.write_text(json.dumps(values))
    with pytest.raises(ModelError) as caught:
        copied.read_manifest()
    assert message in str(caught.value)
