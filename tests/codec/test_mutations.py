"""Whatever comes in, a picture comes out or a `TfrnncError`."""

from __future__ import annotations

import functools
import os
import random

import numpy as np
import pytest

import tfrnnc
from helpers.models import write_tiny_model
from mutations import mutate
from tfrnnc.bitstream import read_header
from tfrnnc.errors import StreamError
from tfrnnc.images import read_image

MUTATIONS = int(os.environ.get("TFRNNC_MUTATIONS", "10000"))
MAX_PIXELS = 1 << 12  # A header may say more; that is refused.


@pytest.fixture(scope="module")
def codec():
    return tfrnnc.load(threads=1)


@pytest.fixture(scope="module")
def streams(codec, request):
    """Real streams of every kind, of a photo's pieces."""
    photo = read_image(request.config.rootpath / "examples" / "photos" / "coffee.png")
    headerless = codec.encode(photo[90:122, 50:82], max_bytes=40, headerless=True)
    return [
        codec.encode(photo[:16, :24]),
        codec.encode(photo[50:74, 60:77], entropy_coding=False),
        codec.encode(photo[80:112, 80:112], max_bytes=60),
        codec.encode(photo[50:93, 60:97], downscale=2),
        codec.encode(photo[80:143, 80:144], downscale=2, max_bytes=60),
        codec.shared_header(32, 32) + headerless,
        (
            request.config.rootpath / "tests" / "golden" / "conv_lstm_thumbnails_v2.rnnc"
        ).read_bytes()[:300],
    ]


@pytest.fixture(scope="module")
def adaptive_codec(tmp_path_factory):
    """Of a model whose locations are independent, of random weights."""
    return tfrnnc.load(
        write_tiny_model("fc", tmp_path_factory.mktemp("fc"), damping=0.1), threads=1
    )


@pytest.fixture(scope="module")
def adaptive_streams(adaptive_codec, request):
    """Streams in which each location takes its own number of iterations."""
    photo = read_image(request.config.rootpath / "examples" / "photos" / "coffee.png")
    piece = photo[90:122, 50:90]
    encode = functools.partial(adaptive_codec.encode, piece, adaptive=True)
    shared = adaptive_codec.shared_header(40, 32, adaptive=True)
    return [
        encode(),
        encode(entropy_coding=False),
        encode(max_bytes=len(encode()) - 12),
        shared + encode(headerless=True),
        adaptive_codec.encode(piece),
    ]


@pytest.mark.parametrize("kind", ["", "adaptive_"])
def test_mutated_streams(kind, request):
    codec = request.getfixturevalue(f"{kind}codec")
    streams = request.getfixturevalue(f"{kind}streams")
    rng = random.Random(0)
    decoded, refused = 0, {}
    for number in range(MUTATIONS):
        data = mutate(streams[number % len(streams)], rng)
        partial = rng.random() < 0.5
        try:
            picture = codec.decode(data, allow_truncated=partial, max_pixels=MAX_PIXELS)
        except StreamError as error:
            refused[type(error).__name__] = refused.get(type(error).__name__, 0) + 1
            continue
        header, _ = read_header(data)
        assert picture.shape == (header.height, header.width, 3)
        assert picture.dtype == np.uint8
        decoded += 1
    # Mutations reach every kind of outcome, so the test looks at what it is meant to.
    assert decoded > MUTATIONS / 50
    assert {kind.__name__ for kind in StreamError.__subclasses__()} == set(refused)
