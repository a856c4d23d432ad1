from __future__ import annotations

import json
import math
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_streams import STRIDE, cases, describe, error_of, likely_planes, refused, small_model
from tfrnnc.bitstream import (
    EntropyModel,
    Header,
    HeaderlessWriter,
    ReadOptions,
    StreamSpec,
    StreamWriter,
    WorkLimits,
    as_plane,
    pack_plane,
    read_header,
    read_planes,
)
from tfrnnc.bitstream.mask_coder import MaskCoder
from tfrnnc.bitstream.plane_coder import PlaneEncoder, checksum_bytes
from tfrnnc.bitstream.shortening import shorten
from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    ForeignStreamError,
    StreamError,
    TooLargeError,
    TruncatedStreamError,
    UnsupportedVersionError,
    WrongModelError,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "v2_container.json").read_text())
MODEL = EntropyModel.from_bytes(bytes.fromhex(GOLDEN["entropy_model"]))
STREAMS = {entry["name"]: bytes.fromhex(entry["stream"]) for entry in GOLDEN["streams"]}
MODEL_ID = b"\x01\x23\x45\x67"
SPEC = StreamSpec(MODEL.model_id, STRIDE, MODEL.bits, entropy_model=MODEL)

#: Streams that a decoder takes by itself, each with an end of its own.
names = st.sampled_from(sorted(STREAMS))


def read_as(data: bytes, spec: StreamSpec, **settings):
    return read_planes(data, spec, ReadOptions(**settings))


def read(data: bytes, **settings):
    return read_as(data, SPEC, **settings)


def spec_of(bits: int, model: EntropyModel | None = None, stride: int = STRIDE) -> StreamSpec:
    return StreamSpec(MODEL_ID, stride, bits, entropy_model=model)


def make_stream(width=33, height=20, bits=3, iterations=4, seed=0, stride=STRIDE, **settings):
    """A stream of random bits, not entropy-coded."""
    header = Header(MODEL_ID, width, height, iterations, **settings)
    rng = np.random.default_rng(seed)
    planes = [
        as_plane(rng.random(header.plane_shape(stride, bits)) < 0.5) for _ in range(iterations)
    ]
    writer = StreamWriter(header, spec_of(bits, stride=stride))
    for plane in planes:
        writer.add(plane)
    return planes, writer.stream()


@given(
    st.integers(1, 1000),
    st.integers(1, 20),
    st.integers(1, 32),
    st.integers(1, 16),
    st.integers(1, 5),
    st.booleans(),
)
def test_round_trip(width, height, stride, bits, iterations, checked):
    planes, data = make_stream(width, height, bits, iterations, stride=stride, checked=checked)
    found = read_as(data, spec_of(bits, stride=stride))
    assert found.header == Header(MODEL_ID, width, height, iterations, checked=checked)
    np.testing.assert_array_equal(found.planes, planes)
    assert (found.whole_iterations, found.ends[-1]) == (iterations, len(data))


@given(
    st.integers(1, 300),
    st.integers(1, 40),
    st.integers(1, 16),
    st.integers(1, 6),
    st.integers(0, 99),
    st.booleans(),
)
def test_round_trip_of_adaptive_streams(width, height, bits, iterations, seed, checked):
    """Whatever locations stop where; the planes tell it."""
    header = Header(MODEL_ID, width, height, iterations, checked=checked, adaptive=True)
    rng = np.random.default_rng(seed)
    shape = header.plane_shape(STRIDE, bits)
    taken = rng.integers(1, iterations + 1, shape[:2])
    writer = StreamWriter(header, spec_of(bits))
    planes = [
        as_plane(rng.random(shape) < 0.5) * (taken > iteration)[..., None]
        for iteration in range(taken.max())
    ]
    for plane in planes:
        writer.add(plane)
    found = read_as(writer.stream(), spec_of(bits))
    assert found.header == replace(header, iterations=len(planes))
    np.testing.assert_array_equal(found.planes, planes)
    np.testing.assert_array_equal(found.iterations_taken, taken)
    assert found.ends[-1] == len(writer.stream())


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 9), st.sampled_from([0, 0.3, 0.9]))
def test_round_trip_of_adaptive_streams_with_an_entropy_model(width, height, seed, share):
    header = Header(MODEL.entropy_coded_id, width, height, 2, entropy_coded=True, adaptive=True)
    shape = header.plane_shape(STRIDE, MODEL.bits)
    planes = likely_planes(MODEL, shape)
    planes[1] *= np.random.default_rng(seed).random((*shape[:2], 1)) < share
    writer = StreamWriter(header, SPEC)
    for plane in planes[: 2 if planes[1].any() else 1]:
        writer.add(plane)
    np.testing.assert_array_equal(read(writer.stream()).planes, planes[: writer.iterations])


def test_a_mask_of_zeros_ends_the_code():
    header = Header(MODEL_ID, 24, 24, 3, open_end=True, checked=False, adaptive=True)
    plane = np.ones(header.plane_shape(STRIDE, 3), np.int8)
    writer = StreamWriter(header, spec_of(3))
    writer.add(plane)
    writer.add(plane * np.int8(0))
    assert writer.iterations == 1
    # Whatever follows the end, or if nothing does.
    for tail in (b"", b"\0" * 9, b"\xff" * 9):
        found = read_as(header.to_bytes() + writer.payload() + tail, spec_of(3))
        np.testing.assert_array_equal(found.planes, [plane])
    closed = replace(header, open_end=False).to_bytes() + writer.payload()
    with pytest.raises(
        CorruptStreamError, match="no location takes iteration 2; 1 of 3 iterations"
    ):
        read_as(closed, spec_of(3))
    assert len(read_as(closed, spec_of(3), allow_truncated=True).planes) == 1


def test_locations_that_stopped_take_no_bits():
    """Half of them: half of the plane's bits, and a mask that is nearly nothing."""
    header = Header(MODEL_ID, 512, 512, 8, adaptive=True)
    shape = header.plane_shape(STRIDE, 16)
    rng = np.random.default_rng(0)
    goes_on = np.ones(shape[:2], bool)
    sizes = []
    writer = StreamWriter(header, spec_of(16))
    for _ in range(6):
        writer.add(as_plane(rng.random(shape) < 0.5) * goes_on[..., None])
        sizes.append(len(writer.stream()))
        goes_on[:, 32:] = False
    grown = np.diff(sizes)
    half = goes_on.size * 16 // 8 // 2
    assert ((grown >= half) & (grown < 1.04 * half)).all()


def test_a_location_that_stopped_cannot_go_on():
    header = Header(MODEL_ID, 16, 8, 3, adaptive=True)
    plane = np.ones((1, 2, 1), np.int8)
    writer = StreamWriter(header, spec_of(1))
    writer.add(plane)
    writer.add(plane * [[[1], [0]]])
    with pytest.raises(AssertionError, match="cannot go on"):
        writer.add(plane)


def test_probabilities_of_masks_stay_within_the_range():
    for bit, limit in ((0, 31), (1, 65505)):
        seen: list[int] = []

        def next_bit(row, column, probability, bit=bit, seen=seen):
            seen.append(probability)
            return bit

        MaskCoder().code(np.ones((1, 2000), bool), next_bit)
        assert seen[0] == 32768
        assert seen[-1] == limit


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 9), st.sampled_from([0.1, 0.5, 1]))
def test_round_trip_with_an_entropy_model(width, height, seed, share):
    """Whatever the bits are: as the model expects them, or less and less so."""
    header = Header(MODEL.entropy_coded_id, width, height, 2, entropy_coded=True)
    shape = header.plane_shape(STRIDE, MODEL.bits)
    rng = np.random.default_rng(seed)
    planes = [
        np.where(rng.random(shape) < share, as_plane(rng.random(shape) < 0.5), plane)
        for plane in likely_planes(MODEL, shape)
    ]
    writer = StreamWriter(header, SPEC)
    plain = StreamWriter(replace(header, entropy_coded=False), SPEC)
    for plane in planes:
        writer.add(plane)
        plain.add(plane)
        assert len(writer.stream()) <= len(plain.stream()) + writer.iterations
    found = read(writer.stream())
    np.testing.assert_array_equal(found.planes, planes)


@given(
    st.tuples(st.integers(1, 100), st.integers(1, 100), st.integers(0, 9)),
    *[st.booleans()] * 4,
)
def test_no_planes_take_more_than_most_bytes(image, coded, checked, adaptive, headerless):
    width, height, seed = image
    header = Header(
        MODEL.entropy_coded_id,
        width,
        height,
        2,
        entropy_coded=coded,
        checked=checked,
        adaptive=adaptive,
    )
    shape = header.plane_shape(STRIDE, MODEL.bits)
    rng = np.random.default_rng(seed)
    goes_on = np.ones(shape[:2], bool)
    writer = (HeaderlessWriter if headerless else StreamWriter)(header, SPEC)
    for count in range(1, len(MODEL.iterations) + 1):
        writer.add(as_plane(rng.random(shape) < 0.5) * goes_on[..., None])
        most = writer.most_bytes(count)
        assert writer.size(count) <= most
        if adaptive:
            goes_on &= rng.random(goes_on.shape) < 0.5
            goes_on[0, 0] = True
        else:
            assert most <= 1.02 * count * math.prod(shape) / 8 + 7 * count + 20


def test_layout_of_the_header():
    header = Header(MODEL_ID, 300, 32, 7, entropy_coded=True, checked=True, open_end=False)
    content = b"RN\x32" + MODEL_ID + b"\xac\x02" + b"\x20" + b"\x07"
    assert header.to_bytes() == content + bytes([zlib.crc32(content) & 0xFF])
    assert read_header(header.to_bytes()) == (header, 12)
    assert header.plane_shape(8, 5) == (4, 38, 5)
    assert len(replace(header, width=32).to_bytes()) == 11


def test_layout_of_the_header_of_a_reduced_image():
    """The sides are of the picture that is shown, the planes of the image at half of them."""
    header = Header(MODEL_ID, 301, 33, 7, checked=True, downscale=2)
    content = b"RN\x23" + MODEL_ID + b"\xad\x02" + b"\x21" + b"\x02" + b"\x07"
    assert header.to_bytes() == content + bytes([zlib.crc32(content) & 0xFF])
    assert read_header(header.to_bytes()) == (header, 13)
    assert header.version == 3
    assert header.coded_size == (17, 151)
    assert header.plane_shape(8, 5) == (3, 19, 5)
    assert replace(header, downscale=1).version == 2


@pytest.mark.parametrize("entry", GOLDEN["streams"], ids=lambda entry: entry["name"])
def test_golden_streams_read_as_ever(entry):
    assert describe(entry["name"], STREAMS[entry["name"]], MODEL) == entry


def test_golden_streams_are_written_as_ever():
    """The very bytes, of the entropy model's file too."""
    assert small_model().to_bytes() == MODEL.to_bytes()
    assert cases(MODEL) == STREAMS


@pytest.mark.parametrize("entry", GOLDEN["refused"], ids=lambda entry: entry["name"])
def test_golden_streams_are_refused_as_ever(entry):
    assert error_of(bytes.fromhex(entry["stream"]), MODEL) == entry["error"]


def test_each_reason_to_refuse_a_stream_is_among_them():
    assert {name: stream.hex() for name, stream in refused(STREAMS, MODEL).items()} == {
        entry["name"]: entry["stream"] for entry in GOLDEN["refused"]
    }
    kinds = {kind.__name__ for kind in StreamError.__subclasses__()}
    assert {entry["error"] for entry in GOLDEN["refused"]} == kinds


@pytest.mark.parametrize("name", STREAMS)
def test_cut_at_every_byte(name):
    """What a cut stream gives is what the whole has there, more with every byte."""
    stream = STREAMS[name]
    if name.endswith("large"):  # Its first bytes, and those around the ends of its iterations.
        lengths = {*range(60), *(end + i for end in read(stream).ends for i in range(-9, 9))}
    else:
        lengths = set(range(len(stream)))
    whole = read(stream)
    known = [0]
    for length in sorted(lengths & set(range(len(stream)))):
        cut = stream[:length]
        try:
            found = read(cut, allow_truncated=True)
        except TruncatedStreamError:
            assert known[-1] == 0
            continue
        if whole.header.checked or not whole.header.open_end:
            of_all = f"{found.whole_iterations} of {whole.header.iterations}"
            with pytest.raises(TruncatedStreamError, match=of_all) as caught:
                read(cut)
            assert caught.value.whole_iterations == found.whole_iterations
        planes = np.stack(found.planes)
        assert ((planes == 0) | (planes == np.stack(whole.planes)[: len(planes)])).all()
        assert found.whole_iterations == sum(end <= length for end in whole.ends)
        known.append(np.count_nonzero(planes))
        for iterations in range(1, found.whole_iterations + 1):
            np.testing.assert_array_equal(
                read(cut, iterations=iterations).planes, whole.planes[:iterations]
            )
    assert known == sorted(known)
    assert known[-1] > 0


def test_with_an_open_end_it_may_end_anywhere():
    stream = STREAMS["headerless"]
    counts = [len(read(stream[:length]).planes) for length in range(15, len(stream))]
    assert counts == sorted(counts)
    assert {1, 2} == set(counts)


def test_a_cut_open_end_is_noticed_where_it_is_checked():
    stream = STREAMS["cut, with an open end"]
    assert len(read(stream).planes) == 2
    with pytest.raises(TruncatedStreamError, match="cut or damaged after 20 bytes"):
        read(stream[:-1])


def test_an_eighth_of_a_iteration_counts():
    planes, data = make_stream(64, 64, bits=1, iterations=2)
    end = read_as(data, spec_of(1)).ends[0]
    for extra in range(1, 9):
        found = read_as(data[: end + extra], spec_of(1), allow_truncated=True)
        if len(found.planes) == 2:
            assert np.count_nonzero(found.planes[1]) >= 8
    with_two = [
        len(read_as(data[: end + extra], spec_of(1), allow_truncated=True).planes)
        for extra in range(9)
    ]
    assert with_two == sorted(with_two)
    assert set(with_two) == {1, 2}
    np.testing.assert_array_equal(read_as(data[:end], spec_of(1), iterations=1).planes, planes[:1])


@pytest.mark.parametrize("name", [name for name in STREAMS if read(STREAMS[name]).header.checked])
def test_every_wrong_bit_is_found(name):
    """In checked streams, and what came before the damage is there still."""
    stream = STREAMS[name]
    whole = read(stream)
    offset = read_header(stream)[1]
    iteration = 97 if name.endswith("large") else 1
    wrong = 0
    for position in range(8 * offset, 8 * len(stream), iteration):
        damaged = bytearray(stream)
        damaged[position // 8] ^= 0x80 >> position % 8
        try:
            found = read(bytes(damaged))
        except (CorruptStreamError, TruncatedStreamError):
            pass
        else:  # A check of one byte is right by chance once in 256; a spare bit says nothing.
            wrong += not np.array_equal(found.planes, whole.planes)
        before = sum(end <= position // 8 for end in whole.ends)
        if before:
            partial = read(bytes(damaged), allow_truncated=True)
            np.testing.assert_array_equal(partial.planes[:before], whole.planes[:before])
    assert wrong <= 1


@pytest.mark.parametrize(
    ("position", "downscale"), [(each, downscale) for downscale in (1, 2) for each in range(11)]
)
def test_every_wrong_byte_of_the_header_is_found(position, downscale):
    _, stream = make_stream(20, 20, downscale=downscale)
    for value in range(256):
        damaged = bytearray(stream)
        damaged[position] = value
        if value != stream[position]:
            with pytest.raises(StreamError):
                read_as(bytes(damaged), spec_of(3))


def test_checks_grow_with_the_plane():
    assert checksum_bytes(2048) == 1
    assert checksum_bytes(2049) == 4
    for side, expected in ((64, 1), (512, 4)):
        sizes = []
        for checked in (True, False):
            sizes.append(len(make_stream(side, side, 8, 2, checked=checked)[1]))
        assert abs(sizes[0] - sizes[1] - 2 * expected) <= 1


def test_fewer_iterations_are_the_first_ones():
    planes, data = make_stream()
    np.testing.assert_array_equal(read_as(data, spec_of(3), iterations=2).planes, planes[:2])


@pytest.mark.parametrize("iterations", [0, -1, 2.5, True])
def test_iterations_out_of_range(iterations):
    with pytest.raises(ConfigError, match="iterations must be"):
        read_as(make_stream()[1], spec_of(3), iterations=iterations)


def test_more_iterations_than_there_are_means_all():
    planes, data = make_stream()
    np.testing.assert_array_equal(read_as(data, spec_of(3), iterations=99).planes, planes)
    stream = STREAMS["cut, with an open end"]
    assert len(read(stream, iterations=99).planes) == len(read(stream).planes)


def test_more_iterations_than_the_model_has():
    _, data = make_stream()
    with pytest.raises(WrongModelError, match="4 iterations, but the model only 3"):
        read_planes(data, replace(spec_of(3), iterations=3))
    assert len(read_as(data, replace(spec_of(3), iterations=3), iterations=3).planes) == 3


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n", b"X", b"\xff\xd8\xff\xe0", b"rnnc\x01aaaa", b"R\0\0\0\0\0"]
)
def test_foreign_files(data):
    with pytest.raises(ForeignStreamError, match="not a tfrnnc stream"):
        read_header(data)


@pytest.mark.parametrize("data", [b"", b"R", b"RN", b"RN\x22", b"RN\x22\0\0\0"])
def test_cut_within_the_header(data):
    with pytest.raises(TruncatedStreamError) as caught:
        read_as(data, spec_of(3), allow_truncated=True)
    assert caught.value.whole_iterations == 0


@st.composite
def writers(draw, headerless: bool):
    """A writer of random planes, adaptive or not, likely ones or not, and what they are."""
    model = draw(st.sampled_from([None, MODEL]))
    adaptive = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    most = len(MODEL.iterations) if model else 5
    header = Header(
        SPEC.model_id,
        draw(st.integers(1, 130)),
        draw(st.integers(1, 130)),
        draw(st.integers(1, most)),
        entropy_coded=model is not None,
        checked=not headerless and draw(st.booleans()),
        open_end=headerless,
        adaptive=adaptive,
    )
    shape = header.plane_shape(STRIDE, SPEC.bits)
    noise = draw(st.sampled_from([0, 0.1, 1]))
    likely = [*likely_planes(MODEL, shape), *likely_planes(MODEL, shape), np.ones(shape, np.int8)]
    goes_on = np.ones(shape[:2], bool)
    writer = (HeaderlessWriter if headerless else StreamWriter)(header, SPEC)
    planes = []
    for plane in likely[: header.iterations]:
        drawn = np.where(rng.random(shape) < noise, as_plane(rng.random(shape) < 0.5), plane)
        planes.append(drawn * goes_on[..., None])
        writer.add(planes[-1])
        if adaptive:
            goes_on &= rng.random(shape[:2]) < 0.8
            if not goes_on.any():
                break
    return writer, planes


@given(writers(headerless=False))
def test_the_writer_knows_where_planes_end(written):
    """As the decoder does; and each of its streams is that of a writer that stopped there."""
    writer, planes = written
    for count in range(1, len(planes) + 1):
        stream = writer.stream(count)
        found = read(stream)
        np.testing.assert_array_equal(found.planes, planes[:count])
        assert writer.ends(count) == found.ends
        assert writer.size(count) == len(stream)
        stopped = StreamWriter(writer.header, SPEC)
        for plane in planes[:count]:
            stopped.add(plane)
        assert stopped.stream() == stream


@given(writers(headerless=False), st.data())
def test_the_writer_knows_what_a_cut_stream_holds(written, data):
    """Cut at any byte, it decodes to exactly what the writer says."""
    writer, planes = written
    count = data.draw(st.integers(1, len(planes)))
    for size in range(len(writer.stream(count)) + 5):
        cut = writer.cut(size, count)
        if cut is None:
            continue
        assert len(cut.data) <= size
        found = read(cut.data)
        assert found.whole_iterations == cut.whole_iterations
        shown = [*planes[: cut.whole_iterations], *([] if cut.partial is None else [cut.partial])]
        np.testing.assert_array_equal(found.planes, shown)
        assert len(found.planes) == cut.iterations
    whole = writer.cut(10**9, count)
    assert whole is not None
    assert (whole.whole_iterations, whole.partial) == (count, None)


@given(writers(headerless=True))
def test_headerless_payloads_end_where_the_decoder_says(written):
    writer, planes = written
    prefix = writer.header.to_bytes()
    longest = min(len(planes), writer.header.iterations - 1) or 1
    for count in range(1, longest + 1):
        if count == len(planes) < writer.header.iterations:
            writer = writer.ended()
        payload = writer.stream(count)
        found = read(prefix + payload)  # Of tiny images, the last byte may hold more iterations.
        np.testing.assert_array_equal(found.planes[:count], planes[:count])
        assert [len(prefix) + end for end in writer.ends(count)] == found.ends[:count]
        assert found.ends[count - 1] == len(prefix + payload)
        for size in range(writer.size(count)):
            cut = writer.cut(size, count)
            if cut is None:
                continue
            found = read(prefix + cut.data)
            assert found.whole_iterations == cut.whole_iterations
            shown = planes[: cut.whole_iterations]
            shown = [*shown, *([] if cut.partial is None else [cut.partial])]
            np.testing.assert_array_equal(found.planes, shown)


@given(names, st.integers(1, 400))
def test_shortened_streams_are_whole(name, size):
    """And hold the beginning of what they were made of."""
    stream = STREAMS[name]
    whole = read(stream)
    for source in (stream, stream[: len(stream) - 1]):
        short = shorten(source, SPEC, size)
        if short is None:
            continue
        assert len(short) <= size
        try:
            found = read(short)
        except TruncatedStreamError:  # Too little is left for a picture.
            assert size < whole.ends[0]
            continue
        assert found.header.open_end
        planes = np.stack(found.planes)
        assert ((planes == 0) | (planes == np.stack(whole.planes)[: len(planes)])).all()


def test_unknown_versions_are_named():
    _, data = make_stream()
    for version in {*range(16)} - {2, 3}:
        message = f"version {version} is not known to this release, which reads versions 2 and 3"
        with pytest.raises(UnsupportedVersionError, match=message):
            read_header(data[:2] + bytes([version]) + data[3:])


@pytest.mark.parametrize("downscale", [0, 1, 3, 255])
def test_an_unknown_downscale_is_named(downscale):
    stream = STREAMS["downscale 2"]
    content = stream[:9] + bytes([downscale]) + stream[10:11]
    header = content + bytes([zlib.crc32(content) & 0xFF])
    with pytest.raises(UnsupportedVersionError, match=f"downscale of {downscale} is not known"):
        read(header + stream[12:])
    with pytest.raises(CorruptStreamError, match="its header is wrong"):
        read(content + stream[11:])


def test_bytes_after_the_end():
    with pytest.raises(CorruptStreamError, match="2 bytes after its end"):
        read_as(make_stream()[1] + b"\0\0", spec_of(3))


@pytest.mark.parametrize("field", ["width", "height", "iterations"])
def test_zero_in_the_header(field):
    values = {"width": 9, "height": 9, "iterations": 1, field: 0}
    with pytest.raises(CorruptStreamError, match="makes no sense"):
        read_header(Header(MODEL_ID, **values).to_bytes())


def test_a_missing_entropy_model():
    with pytest.raises(WrongModelError, match="no entropy model"):
        read_as(STREAMS["entropy-coded"], SPEC.without_entropy_model())


def test_size_is_checked_before_anything_is_allocated():
    huge = Header(MODEL_ID, 2**31 - 1, 2**31 - 1, 255).to_bytes()
    spec = StreamSpec(MODEL_ID, 1, 255)
    with pytest.raises(TooLargeError, match="limit"):
        read_as(huge, spec, allow_truncated=True)
    limits = WorkLimits(max_pixels=2**62, max_work=2**70)
    with pytest.raises(TruncatedStreamError, match="0 of 255 iterations"):
        read_as(huge + bytes(1000), spec, allow_truncated=True, limits=limits)


def test_padded_pixels_are_counted():
    """A line of pixels is decoded as a row of blocks."""
    _, data = make_stream(width=40, height=30)
    with pytest.raises(TooLargeError, match=r"1,280 pixels, padded .* limit of 1,279.*max_pixels="):
        read_as(data, spec_of(3), limits=WorkLimits(max_pixels=1279))
    assert read_as(data, spec_of(3), limits=WorkLimits(max_pixels=1280)).header.width == 40
    line = make_stream(width=1000, height=1)[1]
    with pytest.raises(TooLargeError, match="8,000 pixels"):
        read_as(line, spec_of(3), limits=WorkLimits(max_pixels=7999))


def test_pixels_of_the_picture_that_is_shown_and_work_of_the_coded_ones_are_counted():
    _, data = make_stream(width=39, height=30, iterations=2, downscale=2)
    with pytest.raises(TooLargeError, match=r"1,280 pixels, padded .* limit of 1,279"):
        read_as(data, spec_of(3), limits=WorkLimits(max_pixels=1279))
    # Two iterations of the 384 pixels that the planes are of.
    with pytest.raises(TooLargeError, match=r"2 iterations of 384 pixels"):
        read_as(data, spec_of(3), limits=WorkLimits(max_work=767))
    limits = WorkLimits(max_pixels=1280, max_work=768)
    assert read_as(data, spec_of(3), limits=limits).planes[0].shape == (2, 3, 3)


def test_work_is_counted_before_it_is_done():
    """Of a stream that has all its iterations, before the first; else before each."""
    _, data = make_stream(width=40, height=32, iterations=4)
    too_little = WorkLimits(max_work=4 * 1280 - 1)
    with pytest.raises(TooLargeError, match=r"4 iterations of 1,280 pixels.*max_work="):
        read_as(data, spec_of(3), limits=too_little)
    assert len(read_as(data, spec_of(3), limits=too_little, iterations=3).planes) == 3
    assert len(read_as(data, spec_of(3), limits=WorkLimits(max_work=4 * 1280)).planes) == 4
    # A header for many images tells the model's iterations, which no image has to have.
    header = Header(MODEL_ID, 40, 32, 255, open_end=True, checked=False)
    writer = HeaderlessWriter(header, spec_of(3))
    writer.add(np.ones(header.plane_shape(STRIDE, 3), np.int8))
    stream = header.to_bytes() + writer.payload()
    assert len(read_as(stream, spec_of(3), limits=WorkLimits(max_work=2 * 1280)).planes) == 1


def test_iterations_that_cost_no_bytes_count_as_work():
    """Of adaptive streams, where one location goes on."""
    header = Header(MODEL_ID, 256, 256, 200, adaptive=True, open_end=True, checked=False)
    plane = np.ones(header.plane_shape(STRIDE, 1), np.int8)
    alone = np.zeros_like(plane)
    alone[0, 0] = 1
    writer = StreamWriter(header, spec_of(1))
    for each in [plane] + [alone] * 199:
        writer.add(each)
    stream = header.to_bytes() + writer.payload()
    assert len(stream) < 3 * plane.size / 8
    assert read_as(stream, spec_of(1)).whole_iterations == 200
    with pytest.raises(TooLargeError, match="101 iterations of 65,536 pixels"):
        read_as(stream, spec_of(1), limits=WorkLimits(max_work=100 * 65536))


def test_an_eighth_of_a_plane_counts_as_work():
    header = Header(MODEL_ID, 256, 256, 9, open_end=True, checked=False)
    stream = header.to_bytes() + bytes(20)
    assert read_as(stream, spec_of(1)).whole_iterations == 0
    with pytest.raises(TooLargeError, match="1 iterations of 65,536 pixels"):
        read_as(stream, spec_of(1), limits=WorkLimits(max_work=65535))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "9", None, float("nan")])
def test_limits_that_are_none(value):
    with pytest.raises(ConfigError, match="max_pixels"):
        WorkLimits(max_pixels=value)
    with pytest.raises(ConfigError, match="max_work"):
        WorkLimits(max_work=value)


@given(st.binary(max_size=80), st.sampled_from(range(0x00, 0x100, 0x10)), st.sampled_from([1, 2]))
def test_any_code_reads_or_raises_a_stream_error(code, flags, downscale):
    """Behind a header that is right, so that the code is reached."""
    content = b"RN" + bytes([flags | 2]) + MODEL_ID + b"\x21\x14\x02"
    if downscale == 2:
        content = b"RN" + bytes([flags | 3]) + MODEL_ID + b"\x21\x14\x02\x02"
    stream = content + bytes([zlib.crc32(content) & 0xFF]) + code
    for allow_truncated in (False, True):
        try:
            found = read(stream, allow_truncated=allow_truncated)
        except StreamError:
            continue
        assert 1 <= len(found.planes) <= 2
        assert found.whole_iterations in (len(found.planes), len(found.planes) - 1)


@given(names, st.data())
def test_mutated_streams_read_or_raise_a_stream_error(name, data):
    mutated = bytearray(STREAMS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(mutated), allow_truncated=True)
    except StreamError:
        return
    assert found.planes[0].dtype == np.int8


def test_writing_leaves_the_encoder_open():
    """`stream` and `cut` can be asked for at any iteration, and change nothing."""
    header = Header(MODEL.entropy_coded_id, 50, 40, 2, entropy_coded=True)
    shape = header.plane_shape(STRIDE, MODEL.bits)
    asked, silent = (StreamWriter(header, SPEC) for _ in range(2))
    for plane in likely_planes(MODEL, shape):
        asked.add(plane)
        silent.add(plane)
        first = asked.stream()
        assert asked.cut(20) is None or len(asked.cut(20).data) <= 20
        assert asked.stream() == first
    assert asked.stream() == silent.stream()


def test_a_plane_that_would_grow_is_stored():
    shape = (40, 40, MODEL.bits)
    planes = [-plane for plane in likely_planes(MODEL, shape)]
    sizes = []
    for model in (MODEL, None):
        encoder = PlaneEncoder(shape, model)
        for plane in planes:
            encoder.add(plane)
        sizes.append(len(encoder.finish()))
    assert sizes[0] <= sizes[1] + 2
    assert sizes[1] <= 2 * len(pack_plane(planes[0])) + 2


def test_bitstream_and_metrics_need_neither_keras_nor_tensorflow():
    script = (
        "import sys, tfrnnc, tfrnnc.bitstream, tfrnnc.metrics, tfrnnc.model_folder.presets\n"
        "import tfrnnc.cli.info, tfrnnc.cli.encode, tfrnnc.cli.decode, tfrnnc.cli.train\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
