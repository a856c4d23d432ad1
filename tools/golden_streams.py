"""The streams that the golden file of the format holds, and what a decoder must find in them."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tfrnnc.bitstream import (
    EntropyModel,
    Header,
    StreamSpec,
    StreamWriter,
    as_plane,
    pack_plane,
    read_header,
    read_planes,
)
from tfrnnc.bitstream.entropy_model import Head, IterationModel, group_edges
from tfrnnc.errors import StreamError, WrongModelError

MODEL_ID = bytes.fromhex("c0ffee01")
STRIDE = 8
NOTHING = np.int8(0)


def small_model(iterations=2, bits=3, groups=2, hidden=3, width=2, seed=0) -> EntropyModel:
    """An entropy model of random weights."""
    rng = np.random.default_rng(seed)

    def integers(most: int, *shape: int) -> np.ndarray:
        return rng.integers(-most, most + 1, shape).astype(np.float32)

    def layer(channels: int) -> tuple[np.ndarray, np.ndarray]:
        return integers(60, 9 * channels, hidden), integers(3000, hidden)

    edges = group_edges(bits, groups)
    models = []
    for iteration in range(iterations):
        heads = [
            Head(
                integers(90, hidden if iteration else 0, width),
                integers(90, 9 * end, width),
                integers(6000, 2, width),
                integers(120, width, end - first),
                integers(3000, end - first),
            )
            for first, end in pairwise(edges)
        ]
        context = [layer(iteration * bits), layer(hidden)] if iteration else []
        models.append(IterationModel(context, heads))
    return EntropyModel(MODEL_ID, bits, models)


def likely_planes(model: EntropyModel, shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Planes whose bits are as the model expects them, most of the time."""
    rng = np.random.default_rng(1)
    planes: list[np.ndarray] = []
    for _ in model.iterations:
        plane = np.zeros(shape, np.int8)
        flat = plane.reshape(-1, shape[2])
        for part in model.passes(planes, plane):
            drawn = rng.integers(0, 65536, part.probabilities.shape) < part.probabilities
            flat[part.locations, part.channels] = as_plane(drawn)
        planes.append(plane)
    return planes


def cases(model: EntropyModel) -> dict[str, bytes]:
    """A stream of each kind."""
    plain = Header(MODEL_ID, 37, 20, len(model.iterations))
    coded = replace(plain, model_id=model.entropy_coded_id, entropy_coded=True)
    shape = plain.plane_shape(STRIDE, model.bits)
    planes = likely_planes(model, shape)
    unlikely = [-plane for plane in planes]
    large = replace(coded, width=333, height=222)
    headerless = replace(coded, checked=False, open_end=True)
    zeros = [np.full(shape, -1, np.int8)] * 2

    fewer = stopped(planes)
    adaptive, adaptive_coded, adaptive_headerless, adaptive_large = (
        replace(header, adaptive=True) for header in (plain, coded, headerless, large)
    )

    # Reduced by 2 they have the size of the others, and so the same planes.
    half = replace(plain, width=73, height=39, downscale=2)
    half_coded, half_headerless = (
        replace(header, width=73, height=39, downscale=2) for header in (coded, headerless)
    )
    half_large = replace(coded, width=665, height=444, downscale=2)
    dot = replace(plain, width=1, height=1, downscale=2)

    def writer(header, planes, entropy_model=None):
        made = StreamWriter(
            header, spec_of(model) if entropy_model else spec_of(model).without_entropy_model()
        )
        for plane in planes:
            made.add(plane)
        return made

    whole = writer(coded, planes, model)
    cut = whole.cut(len(whole.stream()) - 2)
    assert cut
    adaptive_whole = writer(adaptive_coded, fewer, model)
    adaptive_cut = adaptive_whole.cut(len(adaptive_whole.stream()) - 1)
    assert adaptive_cut
    half_whole = writer(half_coded, planes, model)
    half_cut = half_whole.cut(len(half_whole.stream()) - 2)
    assert half_cut
    half_adaptive = writer(replace(half_coded, adaptive=True), fewer, model)
    return {
        "not entropy-coded": writer(plain, planes).stream(),
        "entropy-coded": whole.stream(),
        "stored, because the model is wrong": writer(coded, unlikely, model).stream(),
        "cut, with an open end": cut.data,
        "zeros, not checked": writer(replace(plain, checked=False), zeros).stream(),
        "headerless": headerless.to_bytes() + writer(headerless, planes, model).payload(),
        "large": writer(
            large, likely_planes(model, large.plane_shape(STRIDE, model.bits)), model
        ).stream(),
        "adaptive": writer(adaptive, stopped([*planes, *unlikely])).stream(),
        "adaptive, entropy-coded": adaptive_whole.stream(),
        "adaptive, stored, because the model is wrong": writer(
            adaptive_coded, [-plane for plane in fewer], model
        ).stream(),
        "adaptive, cut, with an open end": adaptive_cut.data,
        "adaptive, not checked, all go on": writer(
            replace(adaptive, checked=False), planes
        ).stream(),
        "adaptive, headerless": adaptive_headerless.to_bytes()
        + writer(adaptive_headerless, fewer, model).payload(),
        "adaptive, headerless, none goes on": adaptive_headerless.to_bytes()
        + writer(adaptive_headerless, [planes[0], NOTHING * planes[1]], model).payload(),
        "adaptive, large": writer(
            adaptive_large,
            stopped(likely_planes(model, large.plane_shape(STRIDE, model.bits))),
            model,
        ).stream(),
        "downscale 2": writer(half, planes).stream(),
        "downscale 2, entropy-coded": half_whole.stream(),
        "downscale 2, even sides": writer(
            replace(half_coded, width=74, height=40), planes, model
        ).stream(),
        "downscale 2, one pixel": writer(dot, [plane[:1, :1] for plane in planes]).stream(),
        "downscale 2, cut, with an open end": half_cut.data,
        "downscale 2, headerless": half_headerless.to_bytes()
        + writer(half_headerless, planes, model).payload(),
        "downscale 2, adaptive": half_adaptive.stream(),
        "downscale 2, large": writer(
            half_large, likely_planes(model, half_large.plane_shape(STRIDE, model.bits)), model
        ).stream(),
    }


def spec_of(model: EntropyModel) -> StreamSpec:
    """What streams need of the codec model whose bits these are."""
    return StreamSpec(MODEL_ID, STRIDE, model.bits, entropy_model=model)


def stopped(planes: list[np.ndarray]) -> list[np.ndarray]:
    """The planes with some of the locations stopped, at the right more than at the left."""
    rng = np.random.default_rng(2)
    goes_on = np.ones(planes[0].shape[:2], bool)
    result = []
    for plane in planes:
        result.append(plane * goes_on[..., None])
        goes_on &= rng.random(goes_on.shape) > np.linspace(0, 1, goes_on.shape[1])
    return result


def refused(streams: dict[str, bytes], model: EntropyModel) -> dict[str, bytes]:
    """Streams that must be refused, each for a reason of its own."""
    stream = streams["entropy-coded"]
    _, offset = read_header(stream)
    header, code = stream[:offset], stream[offset:]

    adaptive = streams["adaptive, entropy-coded"]
    first_end = read_planes(adaptive, spec_of(model)).ends[0]
    ended = streams["adaptive, headerless, none goes on"]

    half = streams["downscale 2, entropy-coded"]
    _, half_offset = read_header(half)
    half_header, half_code = half[:half_offset], half[half_offset:]

    def checked(content: bytes) -> bytes:
        return content + bytes([zlib.crc32(content) & 0xFF])

    return {
        "another file": b"\x89PNG\r\n\x1a\n",
        "a version to come": b"RN\x34" + stream[3:],
        "a version to come, adaptive": b"RN\xf4" + stream[3:],
        "nothing": b"",
        "cut in the header": stream[: offset - 1],
        "cut in the code": stream[:-1],
        "no code": header,
        "a wrong header": stream[:7] + b"\x26" + stream[8:],
        "a number with idle bytes": checked(header[:7] + b"\xa5\x00\x14\x02") + code,
        "no pixels": checked(header[:7] + b"\x00\x14\x02") + code,
        "no iterations": checked(header[:-2] + b"\x00") + code,
        "a wrong bit": header + bytes([code[0] ^ 0x40]) + code[1:],
        "a byte too many": stream + b"\0",
        "code that no encoder writes": header + b"\xff\xff\xff\xff" + code,
        "more pixels than are allowed": checked(header[:7] + b"\xff\xff\x03\xff\xff\x03\x02")
        + code,
        "another model": checked(header[:3] + b"\1\2\3\4" + header[7:-1]) + code,
        "more iterations than the model has": checked(header[:-2] + b"\x03") + code,
        "adaptive, cut in a mask": adaptive[: first_end + 1],
        "adaptive, a wrong bit in a mask": adaptive[:first_end]
        + bytes([adaptive[first_end] ^ 0x20])
        + adaptive[first_end + 1 :],
        "adaptive, an iteration that no location takes": checked(b"RN\x92" + ended[3:10])
        + ended[offset:],
        "adaptive, but the header does not say so": checked(b"RN\x32" + adaptive[3:10])
        + adaptive[offset:],
        "a downscale to come": checked(half_header[:9] + b"\x03\x02") + half_code,
        "a downscale of 1": checked(half_header[:9] + b"\x01\x02") + half_code,
        "a downscale of 0": checked(half_header[:9] + b"\x00\x02") + half_code,
        "downscale 2, a wrong header": half[:9] + b"\x03" + half[10:],
        "downscale 2, cut in the header": half[:9],
        "downscale 2, more pixels than are allowed, if not reduced": checked(
            half_header[:7] + b"\xc0\x3e\xc0\x3e\x02\x02"
        )
        + half_code,
        "downscale 2, but the header does not say so": checked(
            b"RN\x32" + half_header[3:7] + b"\x25\x14\x02"
        )
        + half_code,
    }


def error_of(stream: bytes, model: EntropyModel) -> str:
    """The name of the error that a stream is refused with."""
    try:
        header, _ = read_header(stream)
        if header.model_id != model.entropy_coded_id:
            return WrongModelError.__name__
        read_planes(stream, spec_of(model))
    except StreamError as error:
        return type(error).__name__
    raise AssertionError("it is not refused")


def describe(name: str, stream: bytes, model: EntropyModel) -> dict:
    """A stream and what a decoder must find in it."""
    found = read_planes(stream, spec_of(model))
    header = found.header
    return {
        "name": name,
        "stream": stream.hex(),
        "width": header.width,
        "height": header.height,
        "iterations": header.iterations,
        "model_id": header.model_id.hex(),
        "entropy_coded": header.entropy_coded,
        "checked": header.checked,
        "open_end": header.open_end,
        "adaptive": header.adaptive,
        "downscale": header.downscale,
        "whole_iterations": found.whole_iterations,
        "ends": found.ends,
        "positive": [pack_plane(plane).hex() for plane in found.planes],
        "known": [pack_plane(as_plane(plane != 0)).hex() for plane in found.planes],
    }
