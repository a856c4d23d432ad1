"""Decodes mutated streams by the million, on from last time, and counts them.

    python tools/fuzz_streams.py --streams 1000000 --folder .fuzz/streams

Most streams are decoded by a stand-in runtime (`stand_in.py`): everything but the network runs, at
thousands of streams per second. Every `--network-every`th is decoded by the network as well, and
both must refuse the same. A stream that breaks something is written into the folder as
`crash-*.rnnc`, with what it raised beside it; the run then goes on, and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tfrnnc
from fuzz_target import GOLDEN, MODEL
from mutations import mutate
from stand_in import StandInRuntime
from tfrnnc.bitstream import StreamSpec, read_header
from tfrnnc.cli.info import describe, report
from tfrnnc.codec.codec import Codec
from tfrnnc.errors import ConfigError, StreamError
from tfrnnc.images import read_image
from tfrnnc.runtimes.runtime import Runtime

ROOT = Path(__file__).parents[1]
LIMITS = {"max_pixels": 32 * 32, "max_work": 10 * 32 * 32}  # so that a stream takes little time
CHUNK = 20_000  # streams between two writes of the counts; each has its own random numbers
POOL = 64  # streams that mutations start from
SHORTEN_EVERY = 16


class Subject(NamedTuple):
    """A model whose streams are mutated.

    Attributes:
        codec: with a stand-in runtime.
        network: with the real one; None if the model has none.
        seeds: real streams.
        weight: how many of the streams are of it, relative to the other subjects.
    """

    codec: Codec
    network: Codec | None
    seeds: list[bytes]
    weight: int


class _Golden(Runtime):
    """What the golden container's streams are of; has no network."""

    def __init__(self) -> None:
        super().__init__(
            StreamSpec(MODEL.model_id, GOLDEN["stride"], MODEL.bits, len(MODEL.iterations)),
            reconstruction="one_shot",
            encoder_margin=0,
            decoder_margin=0,
        )

    def encode_iteration(self, residual, states, iteration):
        raise NotImplementedError

    def decode_iteration(self, plane, states, reconstruction, iteration):
        raise NotImplementedError


def preset_subject(name: str, weight: int) -> Subject:
    """Streams of a preset, of every kind that it has."""
    network = tfrnnc.load(name, threads=1)
    photo = read_image(ROOT / "examples" / "photos" / "coffee.png")
    piece = photo[80:112, 80:112]
    headerless = network.encode(piece, max_bytes=40, headerless=True)
    seeds = [
        network.encode(photo[:16, :24]),
        network.encode(photo[50:74, 60:77], entropy_coding=False),
        network.encode(piece, max_bytes=60),
        network.encode(piece, downscale=2),
        network.encode(photo[80:111, 80:109], downscale=2, max_bytes=40),
        network.shared_header(32, 32) + headerless,
    ]
    if network.runtime.independent:
        seeds += [
            network.encode(piece, adaptive=True),
            network.encode(piece, adaptive=True, max_bytes=50),
            network.shared_header(32, 32, adaptive=True)
            + network.encode(piece, adaptive=True, headerless=True),
        ]
    codec = Codec(StandInRuntime(network.runtime), network.entropy_model)
    return Subject(codec, network, seeds, weight)


def subjects() -> list[Subject]:
    """What is fuzzed."""
    seeds = [bytes.fromhex(entry["stream"]) for entry in GOLDEN["streams"]]
    golden = Subject(Codec(StandInRuntime(_Golden()), MODEL), None, seeds, weight=6)
    return [
        golden,
        preset_subject("conv_lstm_thumbnails", 1),
        preset_subject("fc_lstm_small", 6),
        preset_subject("conv_small", 3),
    ]


def decoded(codec: Codec, data: bytes, partial: bool) -> np.ndarray | str:
    """The picture of a stream, or the name of the `StreamError` that refuses it.

    Raises:
        AssertionError: if the picture is not one. Whatever else decoding raises is wrong, too.
    """
    try:
        picture = codec.decode(data, allow_truncated=partial, **LIMITS)
    except StreamError as error:
        return type(error).__name__
    header, _ = read_header(data)
    assert picture.shape == (header.height, header.width, 3)
    assert picture.dtype == np.uint8
    return picture


def check_shortened(codec: Codec, data: bytes, max_bytes: int, partial: bool) -> None:
    """A stream that decodes can be cut unless it is damaged or that leaves too little of it."""
    try:
        short = codec.shorten(data, max_bytes, **LIMITS)
    except ConfigError:  # too few bytes for a picture
        return
    except StreamError:
        assert partial
        return
    assert len(short) <= max_bytes
    assert isinstance(decoded(codec, short, partial=False), np.ndarray)


def check(subject: Subject, data: bytes, rng: random.Random, options: argparse.Namespace) -> str:
    """Checks a stream.

    Returns:
        "decoded", or the name of the error that refuses it.
    """
    partial = rng.random() < 0.5
    result = decoded(subject.codec, data, partial)
    outcome = result if isinstance(result, str) else "decoded"
    if rng.randrange(SHORTEN_EVERY) == 0:
        try:
            read_header(data)
        except StreamError:
            return outcome
        assert describe(report(lambda _: subject.codec, "-", data))
        if outcome == "decoded":
            check_shortened(subject.codec, data, rng.randrange(1, len(data) + 2), partial)
    if subject.network and rng.randrange(options.network_every) == 0:
        real = decoded(subject.network, data, partial)
        assert (real if isinstance(real, str) else "decoded") == outcome
        options.counts["decoded by the network as well"] += 1
    return outcome


def run_chunk(
    number: int,
    fuzzed: list[Subject],
    options: argparse.Namespace,
    broken: Callable[[bytes], None],
) -> None:
    """Mutates and checks the streams of a chunk; what is decoded is mutated further."""
    rng = random.Random(f"{options.seed}:{number}")
    pools = [list(subject.seeds) for subject in fuzzed]
    places = [place for place, subject in enumerate(fuzzed) for _ in range(subject.weight)]
    for _ in range(CHUNK):
        place = rng.choice(places)
        subject, pool = fuzzed[place], pools[place]
        data = mutate(rng.choice(pool), rng, subject.codec.spec)
        try:
            outcome = check(subject, data, rng, options)
        except Exception:
            broken(data)
            outcome = "broken"
        options.counts["streams"] += 1
        options.counts[outcome] += 1
        if outcome == "decoded" and len(data) < 600:
            if len(pool) < POOL:
                pool.append(data)
            else:
                pool[rng.randrange(len(subject.seeds), POOL)] = data


def main(arguments: list[str] | None = None) -> int:
    """Runs chunks until there are enough streams."""
    parser = argparse.ArgumentParser(description="Decode mutated streams by the million.")
    parser.add_argument("--streams", type=int, default=1_000_000, help="in all, earlier runs too")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz/streams"), help="of the counts")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--network-every", type=int, default=1000, metavar="N")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    counts_file = options.folder / f"counts-{options.seed}.json"
    history = json.loads(counts_file.read_text()) if counts_file.exists() else []
    done = sum(entry["chunks"] for entry in history)
    options.counts = Counter()

    def broken(data: bytes) -> None:
        path = options.folder / f"crash-{zlib.crc32(data):08x}.rnnc"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(traceback.format_exc())
        print(f"{path}: {traceback.format_exc(limit=-1)}", file=sys.stderr)

    fuzzed = subjects()
    commit = _commit()
    for number in range(done, -(-options.streams // CHUNK)):
        run_chunk(number, fuzzed, options, broken)
        entry = {"commit": commit, "chunks": number + 1 - done, "counts": dict(options.counts)}
        _replace(counts_file, json.dumps([*history, entry], indent=1) + "\n")
    print(json.dumps(dict(options.counts)))
    return 1 if options.counts["broken"] else 0


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
