"""The run that mutates streams by the million: it counts, goes on, and finds what is broken."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

import fuzz_streams
import tfrnnc
from fuzz_streams import LIMITS, main, subjects
from mutations import mutate


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(fuzz_streams, "CHUNK", 300)


def run(folder, streams, every=50):
    return main(["--streams", str(streams), "--folder", str(folder), "--network-every", str(every)])


def test_goes_on_from_last_time(small_chunks, tmp_path):
    assert run(tmp_path / "twice", 300) == run(tmp_path / "twice", 600) == 0
    assert run(tmp_path / "once", 600) == 0
    twice, once = (
        json.loads((tmp_path / name / "counts-0.json").read_text()) for name in ("twice", "once")
    )
    assert [entry["chunks"] for entry in twice] == [1, 1]
    assert [entry["chunks"] for entry in once] == [2]
    total = {key: sum(entry["counts"].get(key, 0) for entry in twice) for key in once[0]["counts"]}
    assert total == once[0]["counts"]
    assert total["streams"] == 600
    assert total["decoded by the network as well"] > 2
    outcomes = set(total) - {"streams", "decoded by the network as well"}
    assert outcomes == {"decoded"} | {
        error.__name__ for error in tfrnnc.errors.StreamError.__subclasses__()
    }


def test_finds_what_is_broken(small_chunks, tmp_path, monkeypatch):
    def raises(*arguments, **settings):
        raise IndexError("of a bug")

    made = subjects()
    monkeypatch.setattr(fuzz_streams, "subjects", lambda: made)
    monkeypatch.setattr(tfrnnc.codec.codec, "read_planes", raises)
    assert run(tmp_path, 300) == 1
    crashes = list(tmp_path.glob("crash-*.rnnc"))
    assert crashes
    assert all("of a bug" in path.with_suffix(".txt").read_text() for path in crashes)


def test_a_stand_in_refuses_what_the_network_refuses():
    rng = random.Random(1)
    for subject in subjects():
        if subject.network is None:
            continue
        for number in range(40):
            data = mutate(rng.choice(subject.seeds), rng, subject.codec.spec)
            results = [
                fuzz_streams.decoded(codec, data, partial=bool(number % 2))
                for codec in (subject.codec, subject.network)
            ]
            outcomes = [r if isinstance(r, str) else r.shape for r in results]
            assert outcomes[0] == outcomes[1]
        picture = subject.codec.decode(subject.seeds[0], **LIMITS)
        assert len(np.unique(picture)) > 1, "the stand-in shows what the bits are"
