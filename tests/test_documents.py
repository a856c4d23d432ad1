"""What the documents show is true."""

from __future__ import annotations

import configparser
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import tfrnnc
from marked_part import put_between_markers
from tfrnnc.bitstream import EntropyModel, Header, ReadOptions, StreamSpec, read_planes
from tfrnnc.bitstream.constants import EVEN
from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.bitstream.range_coder import RangeDecoder

ROOT = Path(__file__).parents[1]


def code_blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.M | re.S)
    return [textwrap.dedent(block) for _, kind, block in found if kind == language]


def shown_stream(example: str) -> bytes:
    """The bytes at the beginning of an example's lines."""
    return bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} )+)", example, re.M)))


def test_examples_of_the_format():
    """The same planes, adaptive or not, and the decoder's numbers on the way."""
    blocks = [block for block in code_blocks("docs/FORMAT.md", "") if "magic" in block]
    plain, adaptive = blocks
    spec = StreamSpec(bytes.fromhex("c0ffee01"), 8, 3)
    expected = np.array([[[[1, 0, 1], [1, 0, 1]]], [[[0, 0, 0], [1, 0, 1]]]])
    stream = shown_stream(plain)
    found = read_planes(stream, spec)
    assert found.header == Header(spec.model_id, 10, 5, 2)
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
    assert read_planes(stream[:14], spec, ReadOptions(iterations=1)).whole_iterations == 1

    stream = shown_stream(adaptive)
    found = read_planes(stream, spec)
    assert found.header == Header(spec.model_id, 10, 5, 2, adaptive=True)
    np.testing.assert_array_equal(np.stack(found.planes) > 0, expected)
    np.testing.assert_array_equal(found.iterations_taken, [[1, 2]])
    decoder = RangeDecoder(stream[11:])
    assert decoder.decode([EVEN] * 14) == [1, 0, 1, 1, 0, 1, *(1, 1, 1, 1, 1, 1, 0, 1)]
    rows = re.findall(r"location \| (\w{8}) \| (\w{8}) \| (\d+) \| (\w{8}) \| ([01]) \|", text)
    for code, width, probability, bound, bit in rows:
        assert (f"{decoder._code:08x}", f"{decoder._range:08x}") == (code, width)
        assert f"{(decoder._range >> 16) * int(probability):08x}" == bound
        assert decoder.decode([int(probability)]) == [int(bit)]
    assert len(rows) == 2
    assert decoder.decode([EVEN] * 3) == [1, 0, 1]
    for planes, check in ((b"\xb4", "1b3e2afd"), (b"\xb4\x40\x14", "d1d3c49f")):
        assert f"{zlib.crc32(stream[:9] + planes):08x}" == check
        assert check in text


def test_table_of_probabilities():
    (table,) = (block for block in code_blocks("docs/FORMAT.md", "") if block.startswith("33109"))
    assert [int(value) for value in table.split()] == PROBABILITIES[128:].tolist()


def test_passes_of_the_format():
    """The table of the entropy-coded example."""
    golden = json.loads((ROOT / "tests" / "golden" / "v2_container.json").read_text())
    model = EntropyModel.from_bytes(bytes.fromhex(golden["entropy_model"]))
    (entry,) = (each for each in golden["streams"] if each["name"] == "entropy-coded")
    stream = bytes.fromhex(entry["stream"])
    spec = StreamSpec(model.model_id, golden["stride"], golden["bits"], entropy_model=model)
    plane = read_planes(stream, spec).planes[0]
    text = (ROOT / "docs" / "FORMAT.md").read_text()
    known = np.zeros_like(plane)
    flat, source = known.reshape(-1, model.bits), plane.reshape(-1, model.bits)
    for part, name in zip(model.passes([], known), ("even", "odd"), strict=False):
        bits = source[part.locations, part.channels]
        flat[part.locations, part.channels] = bits
        probabilities = " ".join(map(str, part.probabilities.ravel()))
        if name == "even":
            (shared,) = set(part.probabilities.ravel())
            probabilities = f"{shared}, for all eight"
        shown = "".join(str(int(bit > 0)) for bit in bits.ravel())
        assert f"| group 0, {name} | {probabilities} | {shown} |" in text


def listed(*patterns: str) -> list[str]:
    """The documents of these names, as paths in the repository."""
    return sorted(
        path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)
    )


def tracked(pattern: str) -> list[str]:
    """The files of the repository whose names match; in a copy without git, all that lie around."""
    command = ["git", "ls-files", "--", pattern]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    names = result.stdout.splitlines() if result.returncode == 0 else listed(f"**/{pattern}")
    return [name for name in names if (ROOT / name).is_file() and "node_modules" not in name]


MANUALS = listed("README.md", "docs/*.md")
WITH_COMMANDS = listed(
    "*.md", "docs/*.md", "examples/*.md", "export/*.md", "recipes/*.md", "tests/arm/*.md"
)
DOCUMENTS = [name for name in tracked("*.md") if not name.startswith("tools/templates/")]

#: blocks that are no commands, each with its own test here
NOT_SHELL = {"docs/FORMAT.md", "docs/COMMANDS.md", "docs/PREVIEW.md", "CONTRIBUTING.md"}
COMMON = {"ar", "cat", "for", "head", "ln", "mkdir", "source", "tar"}
RUN_HERE = {"cat", "head", "tfrnnc-encode", "tfrnnc-decode", "tfrnnc-info", "tfrnnc-pack"}
COMPLETION = "_COMPLETE="


def shell_blocks(document: str) -> list[str]:
    return [
        block
        for block in code_blocks(document, "")
        if COMPLETION not in block
        and (document not in NOT_SHELL or re.match(r"tfrnnc-\w+ (?!.*\[OPTIONS\])", block))
    ]


def simple_commands(block: str) -> list[list[str]]:
    """The words of each command in a block, without its redirections and variables."""
    commands: list[list[str]] = []
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.commenters = "#"
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, "|"]:
            if word != "|":
                words.append(word)
                continue
            if ">" in words:
                words = words[: words.index(">")]
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                commands.append(words)
            words = []
    return commands


def check_command(words: list[str]) -> None:
    """Fails unless the command could be given to a shell in a checkout."""
    name, *arguments = words
    name = name.removeprefix(".venv/bin/")
    if name.startswith("tfrnnc-"):
        main = importlib.import_module(f"tfrnnc.cli.{name.removeprefix('tfrnnc-')}").main
        main.make_context(name, arguments)  # raises what click says of wrong options
    elif name == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert {word for word in arguments if "=" not in word} <= set(targets)
    elif name == "pip":
        assert arguments[0] == "install"
        for extra in re.findall(r"(?:tfrnnc|\.)\[(.*?)\]", " ".join(arguments)):
            assert extra in extras()
    elif name in ("python", "python3"):
        if arguments[0] == "-m":
            assert importlib.util.find_spec(arguments[1])
        else:
            assert (ROOT / arguments[0]).is_file()
    elif name == "tensorboard":
        assert importlib.util.find_spec(name)
    else:
        assert name in COMMON or (ROOT / name).is_file(), f"what is {name}?"


def extras() -> set[str]:
    return set(read_setup()["options.extras_require"])


def console_scripts() -> list[str]:
    lines = read_setup()["options.entry_points"]["console_scripts"].split("\n")
    return [line.partition("=")[0].strip() for line in lines if line.strip()]


def read_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


@pytest.mark.parametrize(
    ("document", "block"),
    [(document, block) for document in MANUALS for block in code_blocks(document, "python")],
)
def test_python_in_the_documents_runs(document, block, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(block, document, "exec"), {})


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_commands_in_the_documents_exist(document):
    for block in shell_blocks(document):
        for words in simple_commands(block):
            check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        "tfrnnc-encode photo.png --no-such-option",
        "tfrnnc-encode photo.png --iterations many",
        "tfrnnc-decode",
        "make nothing",
        "pip install '.[nothing]'",
        "python benchmarks/nothing.py",
        "nothing at all",
    ],
)
def test_wrong_commands_would_be_found(line):
    with pytest.raises((AssertionError, click.UsageError)):
        check_command(*simple_commands(line))


@pytest.mark.parametrize("document", MANUALS)
def test_commands_in_the_documents_run(document, tmp_path):
    """Those that need nothing but a photo, one block after the other in a folder of their own."""
    blocks = [block for block in shell_blocks(document) if can_run(simple_commands(block))]
    if not blocks:
        return
    with Image.open(ROOT / "examples" / "photos" / "coffee.png") as image:
        photo = image.convert("RGB").resize((192, 128))
    (tmp_path / "photos").mkdir()
    photo.save(tmp_path / "photo.png")
    for name in ("a.jpg", "photos/b.jpg", "photos/c.jpg"):
        photo.resize((48, 32)).save(tmp_path / name)
    bin_folder = Path(sys.executable).parent
    for block in blocks:
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, block + result.stderr


def can_run(commands: list[list[str]]) -> bool:
    words = [word for command in commands for word in command]
    needs_more = any(word.startswith(("runs/", "exported")) for word in words)
    return {command[0] for command in commands} <= RUN_HERE and not needs_more


def test_some_documents_are_run():
    for document in ("README.md", "docs/TUTORIAL.md"):
        assert any(can_run(simple_commands(block)) for block in shell_blocks(document))


def test_completion():
    """The lines for each shell name all commands, and those for bash complete."""
    names = [name.removeprefix("tfrnnc-") for name in console_scripts()]
    blocks = [block for block in code_blocks("docs/TUTORIAL.md", "") if COMPLETION in block]
    assert ["bash" in blocks[0], "zsh" in blocks[1], "fish" in blocks[2]] == [True] * 3
    for block in blocks:
        (listed_names,) = re.findall(r"^for name in ([a-z ]+?)(?:; do)?$", block, re.M)
        assert sorted(listed_names.split()) == sorted(names)
    completing = f"""{blocks[0]}
        COMP_WORDS=(tfrnnc-encode --eff) COMP_CWORD=1
        _tfrnnc_encode_completion tfrnnc-encode --eff tfrnnc-encode
        echo "${{COMPREPLY[@]}}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", completing],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "--effort\n", result.stderr


@pytest.mark.parametrize("name", ["make_commands", "make_readme", "make_results"])
def test_made_pages_are_up_to_date(name):
    """The reference is what the commands say; the results and the README, what was measured."""
    tool = ROOT / "tools" / f"{name}.py"
    result = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("script", "writer", "report"),
    [
        ("runtime.py", "runtime_tables.to_markdown", "benchmarks"),
        ("training.py", "training.to_markdown", "training_benchmarks"),
        ("entropy_coding.py", "entropy_coding.markdown", "entropy_coding"),
        ("adaptive_bits.py", "adaptive_bits.markdown", "adaptive_bits"),
        ("packing.py", "packing.markdown", "packing"),
    ],
)
def test_benchmarks_are_up_to_date(script, writer, report):
    """The part of docs/BENCHMARKS.md that each script writes is what it measured."""
    module, _, function = writer.partition(".")
    write = getattr(importlib.import_module(module), function)
    tables = write(json.loads((ROOT / "docs" / f"{report}.json").read_text()))
    text = (ROOT / "docs" / "BENCHMARKS.md").read_text()
    assert put_between_markers(text, script, tables) == text


def test_readme_is_one_screen():
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) <= 600
    (example,) = code_blocks("README.md", "python")
    assert len(example.splitlines()) <= 10


@pytest.mark.parametrize("document", DOCUMENTS)
def test_installing_presumes_no_package_index(document):
    """tfrnnc is on none; with it installed, `pip install 'tfrnnc[train]'` adds what is missing."""
    assert not re.search(r"pip install '?tfrnnc(?!\[|-)", (ROOT / document).read_text())


def test_readme_on_pypi():
    """With the address of the project, every link and picture is absolute and has its file."""
    metadata = load_setup().metadata("https://example.org/owner/name", "v1")
    text = metadata["long_description"]
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", text)
    assert len(links) > 20
    for image, target in links:
        assert target.startswith("https://")
        place = target.removeprefix(
            f"https://example.org/owner/name/{'raw' if image else 'blob'}/v1/"
        )
        assert place.startswith("https://") or (ROOT / place.partition("#")[0]).is_file()
    readme = (ROOT / "README.md").read_text()
    assert load_setup().metadata("", "HEAD") == {"long_description": readme}


def test_code_keeps_its_brackets():
    text = "`a[0](b)` [c](d.md#e) ![f](g.jpg) [h](#i) [j](mailto:k)\n```\n[l](m)\n```\n"
    assert load_setup().absolute_links(text, "https://x", "HEAD") == (
        "`a[0](b)` [c](https://x/blob/HEAD/d.md#e) ![f](https://x/raw/HEAD/g.jpg) [h](#i) "
        "[j](mailto:k)\n```\n[l](m)\n```\n"
    )


def load_setup():
    """setup.py as a module."""
    spec = importlib.util.spec_from_file_location("tfrnnc_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_layout_in_contributing():
    """The tree that CONTRIBUTING.md shows is there."""
    (tree,) = (block for block in code_blocks("CONTRIBUTING.md", "") if block.startswith("tfrnnc/"))
    inside = ""
    for indent, name in re.findall(r"^( *)(\S+/)", tree, re.M):
        assert (ROOT / (inside if indent else "") / name).is_dir()
        inside = inside if indent else name


def test_pictures_of_the_documents_are_shown():
    """None lies in docs/ that no page shows."""
    texts = "".join((ROOT / name).read_text() for name in DOCUMENTS)
    pictures = [path.name for path in (ROOT / "docs").glob("*.jpg")]
    assert len(pictures) > 3
    assert not [name for name in pictures if f"{name})" not in texts]


@pytest.mark.parametrize("document", [*DOCUMENTS, *listed("notebooks/*.ipynb")])
def test_links_lead_somewhere(document):
    text = re.sub(
        r"^ *```.*?^ *```|`[^`\n]*`", "", (ROOT / document).read_text(), flags=re.M | re.S
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.exists(), target
        assert linked.resolve().is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(linked.read_text()), target


@pytest.mark.parametrize("document", [*DOCUMENTS, *listed("notebooks/*.ipynb")])
def test_links_are_titles(document):
    """Readers of the site see no files."""
    names = re.findall(r"\[`?[\w/.]*?\w+\.(?:md|ipynb)`?\]\(", (ROOT / document).read_text())
    assert not names


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_all_models_are_listed():
    text = (ROOT / "docs" / "TUTORIAL.md").read_text()
    for name in tfrnnc.list_presets():
        folders = r"(tfrnnc/presets|presets/tfrnnc_presets)"
        assert re.search(rf"\]\(\.\./{folders}/{name}/MODEL_CARD\.md\)", text), name
