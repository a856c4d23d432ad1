from __future__ import annotations

import numpy as np
import pytest

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.codec import progressive_encoder
from tfrnnc.errors import ConfigError, CorruptStreamError, StreamError, TooLargeError
from tfrnnc.metrics import psnr
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime

SIZES = [300, 40, 64, 33, 120, 64, 90]


@pytest.fixture(scope="module")
def preset():
    return tfrnnc.load(threads=1)


@pytest.fixture(scope="module")
def photo(request):
    from tfrnnc.images import read_image

    path = request.config.rootpath / "examples" / "photos" / "coffee.png"
    return read_image(path)[90:122, 50:91]


@pytest.mark.parametrize("headerless", [False, True])
@pytest.mark.parametrize("kept", [0, 1 << 16])
def test_fitting_is_encoding(preset, photo, headerless, kept, monkeypatch):
    """Any limits in any order, whether or not what decoders have is kept."""
    monkeypatch.setattr(progressive_encoder, "KEPT_PIXELS", kept)
    encoder = preset.encoder(photo, headerless=headerless)
    target = psnr(photo, preset.encode_with_picture(photo, iterations=3).picture)
    limits = [
        *({"max_bytes": size} for size in SIZES),
        {"iterations": 2},
        {"psnr": target},
        {"bpp": 0.5},
        {"psnr": target, "max_bytes": 50},
        {"ssim": 0.5, "iterations": 4},
    ]
    for each in limits:
        fitted = encoder.fit(**each)
        encoded = preset.encode_with_picture(photo, headerless=headerless, **each)
        assert fitted.data == encoded.data
        np.testing.assert_array_equal(fitted.picture, encoded.picture)
        assert fitted.iterations == encoded.iterations
        prefix = preset.shared_header(41, 32) if headerless else b""
        found = preset.read_planes(prefix + fitted.data)
        assert found.whole_iterations == fitted.iterations
        np.testing.assert_array_equal(preset.decode(prefix + fitted.data), fitted.picture)


@pytest.mark.parametrize("settings", [{}, {"headerless": True}, {"entropy_coding": False}])
def test_fitting_encodes_nothing_twice(preset, photo, settings, monkeypatch):
    encoder = preset.encoder(photo, **settings)
    calls = []
    encode_iteration = LiteRTRuntime.encode_iteration

    def counted(runtime, residual, states, iteration):
        calls.append(iteration)
        return encode_iteration(runtime, residual, states, iteration)

    monkeypatch.setattr(LiteRTRuntime, "encode_iteration", counted)
    for size in SIZES:
        encoder.fit(max_bytes=size)
    encoder.fit(iterations=3)
    encoder.fit(psnr=20)
    assert calls == list(range(len(calls)))
    taken = len(calls)
    encoder.fit(max_bytes=max(SIZES))
    assert len(calls) == taken


def test_adaptive_encoders_fit_too(independent_folder, photo):
    codec = tfrnnc.load(independent_folder)
    encoder = codec.encoder(photo, adaptive=True)
    whole = encoder.fit()
    for limits in ({"max_bytes": len(whole.data) - 9}, {"iterations": 2}, {"max_bytes": 40}, {}):
        fitted = encoder.fit(**limits)
        encoded = codec.encode_with_picture(photo, adaptive=True, **limits)
        assert fitted.data == encoded.data
        np.testing.assert_array_equal(fitted.picture, encoded.picture)


def test_limits_of_the_options_hold_where_none_are_given(tiny_codec, noise):
    encoder = tiny_codec.encoder(noise(16, 16), iterations=1)
    assert encoder.fit().iterations == 1
    assert encoder.fit(iterations=2).iterations == 2
    assert encoder.fit(max_bytes=1000).iterations == 1


def test_missed_targets_are_those_of_the_picture(preset, photo):
    least = preset.encode_with_picture(photo, max_bytes=60)
    assert least.data != preset.encode(photo, iterations=least.iterations)  # It was cut.
    quality = psnr(photo, least.picture)
    assert preset.encode_with_picture(photo, max_bytes=60, psnr=quality).missed == []
    missed = preset.encode_with_picture(photo, max_bytes=60, psnr=quality + 0.01).missed
    assert [target.name for target in missed] == ["PSNR"]


def test_work_is_limited(tiny_codec, noise):
    """As of decoding: padded pixels, and those times iterations."""
    image = noise(9, 17)
    stride = tiny_codec.spec.stride
    padded = -(-9 // stride) * -(-17 // stride) * stride**2
    with pytest.raises(TooLargeError, match=rf"{padded} pixels, padded .* {padded - 1};.*pixels="):
        tiny_codec.encode(image, max_pixels=padded - 1)
    with pytest.raises(TooLargeError, match=rf"3 iterations of {padded} pixels.*max_work="):
        tiny_codec.encode(image, max_pixels=padded, max_work=3 * padded - 1)
    tiny_codec.encode(image, max_pixels=padded, max_work=3 * padded)
    data = tiny_codec.encode(image, iterations=2, max_work=2 * padded)
    with pytest.raises(TooLargeError, match="2 iterations"):
        tiny_codec.decode(data, max_work=2 * padded - 1)
    assert tiny_codec.decode(data, max_work=2 * padded).shape == (9, 17, 3)
    assert tiny_codec.decode(data, 1, max_work=padded).shape == (9, 17, 3)
    with pytest.raises(TooLargeError, match="2 iterations"):  # What it takes is not known before.
        tiny_codec.encode(image, max_bytes=500, max_work=padded)
    assert issubclass(TooLargeError, tfrnnc.ImageError)
    assert issubclass(TooLargeError, StreamError)


@pytest.mark.parametrize("settings", [{}, {"entropy_coding": False}, {"max_bytes": 200}])
def test_shortened_streams(preset, photo, settings):
    """They say that they were cut, and decode to what the longer one has there."""
    data = preset.encode(photo, **settings)
    whole = np.stack(preset.read_planes(data).planes)
    known, unnoticed = [], 0
    for size in range(22, len(data), 7):
        short = preset.shorten(data, size)
        assert len(short) == size
        header, _ = read_header(short)
        assert header.open_end
        assert header.checked
        planes = np.stack(preset.read_planes(short).planes)
        assert ((planes == 0) | (planes == whole[: len(planes)])).all()
        known.append(np.count_nonzero(planes))
        try:
            preset.decode(short[:-1])
            unnoticed += 1
        except StreamError:
            pass
        assert preset.shorten(short, size) == short
        assert len(preset.shorten(short, size - 1)) == size - 1
    assert known == sorted(known)
    assert unnoticed <= 1  # The checksum of an end is a byte: 1 of 256 fits by chance.
    assert preset.shorten(data, len(data)) == data
    assert preset.shorten(data, 10**6) == data


def test_what_cannot_be_shortened(preset, photo):
    data = preset.encode(photo)
    with pytest.raises(ConfigError, match="13 bytes are too few"):
        preset.shorten(data, 13)
    with pytest.raises(StreamError):
        preset.shorten(data[:5], 100)
    with pytest.raises(CorruptStreamError):
        preset.shorten(data[:30] + bytes([data[30] ^ 1]) + data[31:], 100)


def test_a_cut_stream_is_closed(preset, photo):
    data = preset.encode(photo)
    cut = data[:100]
    with pytest.raises(StreamError):
        preset.decode(cut)
    closed = preset.shorten(cut, 1000)
    assert len(closed) == 101  # with the checksum of its end
    np.testing.assert_array_equal(preset.decode(closed), preset.decode(cut, allow_truncated=True))
