"""What the documents show is true."""

from __future__ import annotations

import importlib
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from tfrnnc.bitstream import EntropyModel, Header, read_planes
from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.bitstream.range_coder import EVEN, RangeDecoder

ROOT = Path(__file__).parents[1]


def code_blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)


def shown_stream(example: str) -> bytes:
    """The bytes at the beginning of an example's lines."""
    return bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} )+)", example, re.M)))


def test_examples_of_the_format():
    """The same planes, in both versions, and the decoder's numbers on the way."""
    second, first = (block for block in code_blocks("docs/FORMAT.md", "") if "magic" in block)
    expected = np.array([[[[1, 0, 1], [1, 0, 1]]], [[[0, 0, 0], [1, 0, 1]]]])
    for version, example in ((1, first), (2, second)):
        stream = shown_stream(example)
        found = read_planes(stream, 8, 3)
        assert found.header == Header(
            bytes.fromhex("c0ffee01"), 10, 5, 2, checked=version == 2, version=version
        )
        np.testing.assert_array_equal(np.stack(found.planes) > 0, expected)
    text = (ROOT / "docs" / "FORMAT.md").read_text()
    rows = re.findall(
        r"^\| ([0-9a-f]{8}) \| ([0-9a-f]{8}) \| ([0-9a-f]{8}) \| ([01]) \|", text, re.M
    )
    decoder = RangeDecoder(stream[11:])
    for code, width, bound, bit in rows:
        assert (f"{decoder._code:08x}", f"{decoder._range:08x}") == (code, width)
        assert f"{(decoder._range >> 16) * EVEN:08x}" == bound
        assert decoder.decode([EVEN]) == [int(bit)]
    assert len(rows) == 6
    assert decoder.decode([EVEN] * 8) == [0, 0, 1, 0, 0, 1, 1, 1]
    header = stream[:9]
    for planes, check in ((b"\xb4", "4805af27"), (b"\xb4\x14", "6d9a8b34")):
        assert f"{zlib.crc32(header + planes):08x}" == check
        assert check in text
    assert read_planes(stream[:14], 8, 3, steps=1).whole_steps == 1


def test_table_of_probabilities():
    (table,) = (block for block in code_blocks("docs/FORMAT.md", "") if block.startswith("33109"))
    assert [int(value) for value in table.split()] == PROBABILITIES[128:].tolist()


def test_passes_of_the_format():
    """The table of the entropy-coded example."""
    golden = json.loads((ROOT / "tests" / "golden" / "v2_container.json").read_text())
    model = EntropyModel.from_bytes(bytes.fromhex(golden["entropy_model"]))
    (entry,) = (each for each in golden["streams"] if each["name"] == "entropy-coded")
    stream = bytes.fromhex(entry["stream"])
    plane = read_planes(stream, golden["stride"], golden["bits"], model).planes[0]
    text = (ROOT / "docs" / "FORMAT.md").read_text()
    known = np.zeros_like(plane)
    flat, source = known.reshape(-1, model.bits), plane.reshape(-1, model.bits)
    for part, name in zip(model.passes([], known), ("even", "odd"), strict=False):
        bits = source[part.cells, part.channels]
        flat[part.cells, part.channels] = bits
        probabilities = " ".join(map(str, part.probabilities.ravel()))
        if name == "even":
            (shared,) = set(part.probabilities.ravel())
            probabilities = f"{shared}, for all eight"
        shown = "".join(str(int(bit > 0)) for bit in bits.ravel())
        assert f"| group 0, {name} | {probabilities} | {shown} |" in text


@pytest.mark.parametrize("block", code_blocks("README.md", "python"))
def test_python_in_the_readme_runs(block, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("document", ["README.md", "docs/EVALUATION.md", "docs/EXPORT.md"])
def test_commands_in_the_documents_exist(document):
    for block in code_blocks(document, ""):
        for name, options in re.findall(r"^tfrnnc-(\w+)([^#\n]*)", block, re.M):
            command = importlib.import_module(f"tfrnnc.cli.{name}").main
            known = {option for parameter in command.params for option in parameter.opts}
            for option in re.findall(r"--[a-z-]+", options):
                assert option in known, f"tfrnnc-{name} {option}"
