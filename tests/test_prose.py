"""Idioms that readers stumble over stay out of documents, docstrings, comments and help texts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: An idiom, and what to write in its place.
IDIOMS = {
    r"\bso many\b": "a number, this many, or the name of the number",
    r"\b(on|of|by) (a|the|all) processors?\b(?! (of|with|may|has|and))": "CPU",
    r"(patches|images|batches|bytes|kB|MB|operations|streams) a second\b": "per second",
    r"\bas (in )?(earlier|former|previous) releases\b": "what holds now",
    r"\b(the|a) code (grid|without headers?|of the image)\b": "latent bits, or payload",
    r"\bnor waited for\b": "starts at once",
    r"\bforetell\b": "predict",
    r"\bwhat one gets\b": "this gives us",
    r"\bhow many are in\b": "the count",
    r"\bthan a small machine bears\b": "can handle",
    r"\bthe environment says\b": "environment variables",
    r"\bhad the (decoder|encoder|codec) to\b": "if the decoder had to",
}
#: The same for what is written outside of the demos.
STRICTER_IDIOMS = {
    r"\bwhat is there of\b": "whatever has arrived",
    r"\bthese many\b": "this many",
    r"\bsome (\d[\d,]*|two|three|four|five|six|seven|eight|ten|twenty|fifty|hundred)\b": "about",
    r"\bturn(s|ed|ing)?( a bit| bits| one)? over\b": "flip",
    r"; else the\b": "(default: ...)",
    r"\b(bits|bytes|[kMG]B|ms) an? (pixel|image|patch|channel|weight|iteration)\b": "per",
    r"\b(ARM|other|another|several|these|three) processors?\b": "CPU",
}
DEMOS = ("android_demo/", "web_demo/", "web_preview/")
SUFFIXES = {".md", ".py", ".ipynb", ".ts", ".mjs", ".html", ".kt"}
FOLDERS = [
    "android_demo/app/src/main",
    "android_demo/codec/src/main",
    "android_demo/presentation/src/main",
    "benchmarks",
    "docs",
    "examples",
    "export",
    "notebooks",
    "recipes",
    "tfrnnc",
    "tools",
    "web_demo/scripts",
    "web_demo/src",
    "web_preview/example",
    "web_preview/scripts",
    "web_preview/src",
]


def files() -> list[str]:
    """What people read of the repository, the tests apart."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("*_demo/*.md"), *ROOT.glob("web_preview/*.md")]
    for folder in FOLDERS:
        assert (ROOT / folder).is_dir(), folder
        paths += (ROOT / folder).rglob("*")
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.suffix in SUFFIXES and ".ipynb_checkpoints" not in path.parts
    )


def prose(name: str) -> str:
    """What there is to read of a file, with line breaks and signs of comments as spaces."""
    text = (ROOT / name).read_text()
    if name.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"\s+(\*|//|#:?)?\s*", " ", text)


def idioms(text: str, checked: dict[str, str] = IDIOMS) -> list[str]:
    return [
        f"{text[max(0, match.start() - 40) : match.end() + 20]!r}: write {better}"
        for idiom, better in checked.items()
        for match in re.finditer(idiom, text, re.IGNORECASE)
    ]


def checked_in(name: str) -> dict[str, str]:
    """What is looked for in a file."""
    return IDIOMS if name.startswith(DEMOS) else {**IDIOMS, **STRICTER_IDIOMS}


def test_idioms():
    read = files()
    assert len(read) > 200
    faults = [
        f"{name}: {fault}" for name in read for fault in idioms(prose(name), checked_in(name))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "text",
    [
        "At most so many bytes.",
        "in so\n    # many bytes",
        "Training on a processor",
        "97 patches a second",
        "as earlier releases did",
        "Hard to foretell",
        "what is there\nof it",
        "some seven times",
        "levels that turn bits over",
        "A folder; else the default",
        "8 bits a channel",
    ],
)
def test_an_idiom_is_found(tmp_path, monkeypatch, text):
    monkeypatch.setattr("test_prose.ROOT", tmp_path)
    (tmp_path / "a.md").write_text(text)
    assert len(idioms(prose("a.md"), checked_in("a.md"))) == 1
