"""Progress on terminals: a bar for the files, and one for the strips of a large image."""

from __future__ import annotations

import io
import re
import sys

import pytest

import tfrnnc
from tfrnnc.cli import common
from tfrnnc.codec import strips


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self):
        return True


class PromptBar(common.tqdm):
    """A bar that shows every update, however soon it comes."""

    def __init__(self, **settings):
        super().__init__(**settings, mininterval=0)


@pytest.fixture
def shown(monkeypatch):
    """What a report tells of facts on a terminal, or in a pipe."""
    monkeypatch.setattr(common, "tqdm", PromptBar)

    def call(facts, total, stream=None, **settings):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", Terminal() if stream is None else stream)
            common.Report(as_json=False, to_stderr=True, **settings).tell(facts, str, total)
            return sys.stderr.getvalue()

    return call


@pytest.fixture
def encode(noise, monkeypatch):
    """Encodes an image in 8 strips."""
    monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", 0)
    monkeypatch.setattr(strips, "STRIP_HEIGHT", 1)
    codec = tfrnnc.load(threads=1)

    def call():
        codec.encode(noise(64, 40), iterations=2)
        yield {"input": "a.png"}

    return call


def test_files_with_their_rate_and_the_time_left(shown):
    facts = [{"input": name} for name in ("a.png", "b.png", "c.png")]
    text = shown((fact for fact in facts), 3)
    assert re.search(r" 2/3 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(image/s|s/image)\]", text)
    assert "3/3 [" in text


def test_strips_of_a_large_image(shown, encode):
    counts = re.findall(r" (\d+)/(\d+) \[\d\d:\d\d<[^]]*strip", shown(encode(), 1))
    assert [int(done) for done, _ in counts] == sorted(int(done) for done, _ in counts)
    assert {total for _, total in counts} == {"8"}
    assert {"0", "4", "7"} <= {done for done, _ in counts}


def test_strips_after_an_image_that_failed_in_the_middle(shown):
    """They are counted anew: the other image may have had more of them."""

    def facts():
        report = strips.progress.get()
        for done in range(3):
            report(done, 10)
        for done in range(5):
            report(done, 4)
        yield {"input": "b.png"}

    text = shown(facts(), 1)
    assert "2/10" in text
    assert "2/4" in text


@pytest.mark.parametrize(
    "settings", [{"quiet": True}, {"stream": io.StringIO()}], ids=["quiet", "no terminal"]
)
def test_no_bars_where_nobody_looks(shown, encode, settings):
    assert not re.search("strip|image/s", shown(encode(), 2, **settings))
