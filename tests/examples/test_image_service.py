"""The example service, without a network."""

from __future__ import annotations

import io
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import numpy as np
import pytest
from fastapi.testclient import TestClient
from image_service import Limits, make_app
from PIL import Image

import tfrnnc

STREAM = {"content-type": "application/octet-stream"}
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def codec():
    return tfrnnc.load(threads=1)


@pytest.fixture(scope="module")
def client(codec):
    with TestClient(make_app(codec=codec)) as client:
        yield client


def limited(codec, **limits):
    return TestClient(make_app(Limits(**limits), codec))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def pixels_of(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def test_health_names_the_model(client, codec):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "model": str(codec.identity)}


def test_encode_is_the_codecs_own(client, codec, noise):
    image = noise(32, 40)
    answer = client.post("/encode?max_bytes=64", content=png(image), headers=PNG)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == codec.encode(image, max_bytes=64)
    whole = client.post("/encode?iterations=2", content=png(image), headers=PNG)
    assert whole.content == codec.encode(image, iterations=2)


@pytest.mark.parametrize("format", ["png", "webp"])
def test_decode_is_the_codecs_own(client, codec, noise, format):
    data = codec.encode(noise(24, 32), max_bytes=64)
    answer = client.post(f"/decode?format={format}", content=data, headers=STREAM)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"image/{format}"
    np.testing.assert_array_equal(pixels_of(answer.content), codec.decode(data))
    first = client.post(f"/decode?format={format}&iterations=1", content=data, headers=STREAM)
    np.testing.assert_array_equal(pixels_of(first.content), codec.decode(data, 1))


def test_a_stream_that_was_cut_needs_partial(client, codec, noise):
    data = codec.encode(noise(32, 32), iterations=3)[:-5]
    refused = client.post("/decode", content=data, headers=STREAM)
    assert refused.status_code == 422
    assert refused.json()["detail"].endswith("are whole; decode those with partial=true")
    answer = client.post("/decode?partial=true", content=data, headers=STREAM)
    expected = codec.decode(data, allow_truncated=True)
    np.testing.assert_array_equal(pixels_of(answer.content), expected)


def test_bodies_that_are_too_large(codec, noise):
    client = limited(codec, max_body=1000)
    content = bytes(1001)
    assert client.post("/decode", content=content, headers=STREAM).status_code == 413
    chunks = client.post("/decode", content=iter([content[:600], content[:600]]), headers=STREAM)
    assert chunks.status_code == 413
    assert "1000 bytes" in chunks.json()["detail"]


def test_images_and_streams_that_are_too_large(codec, noise):
    client = limited(codec, max_pixels=32 * 32)
    image = noise(32, 64)
    data = codec.encode(image, iterations=1)
    for answer in (
        client.post("/encode", content=png(image), headers=PNG),
        client.post("/decode", content=data, headers=STREAM),
    ):
        assert answer.status_code == 413
        assert "more than the limit of 1,024" in answer.json()["detail"]
        assert "raise" not in answer.json()["detail"]  # Which a client cannot.
    client = limited(codec, max_work=32 * 64)
    two = client.post("/encode?iterations=2", content=png(image), headers=PNG)
    assert two.status_code == 413


@pytest.mark.parametrize(("path", "given"), [("/decode", "image/png"), ("/encode", "text/html")])
def test_bodies_of_another_type(client, path, given):
    answer = client.post(path, content=b"x", headers={"content-type": given})
    assert answer.status_code == 415
    assert given in answer.json()["detail"]
    assert client.post(path, content=b"x").status_code == 415


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/decode", STREAM),
        ("/encode", PNG),
        ("/decode?format=gif", STREAM),
        ("/decode?iterations=0", STREAM),
        ("/encode?max_bytes=0", PNG),
    ],
)
def test_what_cannot_be_used(client, path, headers):
    answer = client.post(path, content=b"neither image nor stream", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"]


class Slow:
    """A codec whose work lasts until it is told to end."""

    identity = "slow"

    def __init__(self):
        self.started = threading.Semaphore(0)
        self.end = threading.Event()

    def decode(self, *arguments, **keywords):
        self.started.release()
        assert self.end.wait(60)
        return np.zeros((8, 8, 3), np.uint8)


def test_too_many_requests_are_turned_away():
    slow = Slow()
    with (
        TestClient(make_app(Limits(threads=1, waiting=1, seconds=60), slow)) as client,
        ThreadPoolExecutor(3) as pool,
    ):

        def post():
            return client.post("/decode", content=b"x", headers=STREAM)

        first = pool.submit(post)
        assert slow.started.acquire(timeout=60)
        others = [pool.submit(post), pool.submit(post)]
        try:
            (turned_away,), (waiting,) = wait(others, 60, FIRST_COMPLETED)
        finally:
            slow.end.set()
        assert turned_away.result().status_code == 503
        assert turned_away.result().headers["retry-after"] == "1"
        assert first.result().status_code == waiting.result().status_code == 200
        assert client.get("/health").status_code == 200


def test_what_takes_too_long_is_given_up():
    slow = Slow()
    with TestClient(make_app(Limits(threads=1, waiting=0, seconds=0.1), slow)) as client:
        late = client.post("/decode", content=b"x", headers=STREAM)
        assert late.status_code == 503
        assert "too long" in late.json()["detail"]
        full = client.post("/decode", content=b"x", headers=STREAM)
        assert "too many" in full.json()["detail"]
        slow.end.set()
        while client.post("/decode", content=b"x", headers=STREAM).status_code == 503:
            pass  # The thread is on its way back.


def test_threads_share_the_codec(client, codec, noise):
    images = [noise(32, 32, seed) for seed in range(8)]
    expected = [codec.encode(image, max_bytes=64) for image in images]

    def post(number):
        content = png(images[number % 8])
        return client.post("/encode?max_bytes=64", content=content, headers=PNG).content

    with ThreadPoolExecutor(4) as pool:
        for number, answer in enumerate(pool.map(post, range(32))):
            assert answer == expected[number % 8]
