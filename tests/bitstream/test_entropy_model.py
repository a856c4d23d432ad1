from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_streams import MODEL_ID, likely_planes, small_model
from tfrnnc.bitstream import EntropyModel, as_plane, entropy_model, plane_coder
from tfrnnc.bitstream.constants import EXACT
from tfrnnc.bitstream.entropy_model import Head, IterationModel, entropy_coded_id
from tfrnnc.bitstream.plane_coder import PlaneDecoder, PlaneEncoder, WholePlane
from tfrnnc.bitstream.probabilities import COST_OF_ONE, MIN_COST, PROBABILITIES
from tfrnnc.errors import InstallationError, ModelError

CONTENT = small_model().to_bytes()


def with_check(content: bytes) -> bytes:
    """A file's content under a check that is right, so that the rest of it is looked at."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def reference_probabilities(model: EntropyModel, planes, known, row, column, group):
    """docs/FORMAT.md, a location at a time, in Python's integers."""
    iteration = model.iterations[len(planes)]
    height, width, bits = known.shape
    sizes = [head.output_bias.size for head in iteration.heads]
    end = sum(sizes[: group + 1])

    def clamp(value):
        return min(max(int(value) // 128, 0), 255)

    def around(values, row, column, channels):
        for i in (row - 1, row, row + 1):
            for j in (column - 1, column, column + 1):
                inside = 0 <= i < height and 0 <= j < width
                for channel in range(channels):
                    yield int(values(i, j)[channel]) if inside else 0

    def layer(kernel, bias, inputs):
        inputs = list(inputs)
        return [
            clamp(sum(x * int(w) for x, w in zip(inputs, column, strict=True)) + int(b))
            for column, b in zip(kernel.T, bias, strict=True)
        ]

    head = iteration.heads[group]
    inputs = []
    if iteration.context:
        (first, first_bias), (second, second_bias) = iteration.context

        def earlier(i, j):
            return [64 * int(bit) for plane in planes for bit in plane[i, j]]

        def hidden(i, j):
            return layer(first, first_bias, around(earlier, i, j, len(planes) * bits))

        inputs = layer(second, second_bias, around(hidden, row, column, first_bias.size))
    inputs += around(lambda i, j: 64 * known[i, j].astype(int), row, column, end)
    kernel = np.concatenate([head.context, head.plane])
    units = layer(kernel, head.bias[(row + column) % 2], inputs)
    found = []
    for weights, bias in zip(head.output.T, head.output_bias, strict=True):
        logit = sum(x * int(w) for x, w in zip(units, weights, strict=True)) + int(bias)
        found.append(int(PROBABILITIES[min(max(logit // 128, -128), 127) + 128]))
    return found


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 1), (4, 5)])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_passes_are_as_the_format_says(shape, groups):
    model = small_model(groups=groups, seed=groups)
    planes = likely_planes(model, (*shape, model.bits))
    for iteration, plane in enumerate(planes):
        known = np.zeros_like(plane)
        seen = []
        for number, part in enumerate(model.passes(planes[:iteration], known)):
            group, parity = divmod(number, 2)
            for cell, probabilities in zip(part.locations, part.probabilities, strict=True):
                row, column = divmod(int(cell), shape[1])
                assert (row + column) % 2 == parity
                expected = reference_probabilities(
                    model, planes[:iteration], known, row, column, group
                )
                assert probabilities.tolist() == expected
                seen += [(cell, bit) for bit in range(part.channels.start, part.channels.stop)]
            flat = known.reshape(-1, model.bits)
            flat[part.locations, part.channels] = plane.reshape(flat.shape)[
                part.locations, part.channels
            ]
        assert len(seen) == len(set(seen)) == plane.size


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3), st.data())
def test_all_probabilities_at_once_are_those_of_the_passes(height, width, groups, data):
    """Whatever locations stopped, and in parts of any size."""
    model = small_model(iterations=3, groups=groups, seed=data.draw(st.integers(0, 9)))
    planes = likely_planes(model, (height, width, model.bits))
    rng = np.random.default_rng(0)
    goes_on = np.ones((height, width), bool)
    for iteration in range(3):
        planes[iteration] *= goes_on[..., None]
        plane, mask = planes[iteration], goes_on if iteration else None
        together = model.probabilities(planes[:iteration], plane).ravel()
        known = np.zeros_like(plane)
        source, target = (each.reshape(-1, model.bits) for each in (plane, known))
        order = np.arange(plane.size).reshape(-1, model.bits)
        places = []
        for part in model.passes(planes[:iteration], known, mask):
            target[part.locations, part.channels] = source[part.locations, part.channels]
            places.append(order[part.locations, part.channels].ravel())
            np.testing.assert_array_equal(together[places[-1]], part.probabilities.ravel())
        np.testing.assert_array_equal(model.order(plane.shape, mask), np.concatenate(places))
        assert (
            model.order(plane.shape, mask).itemsize == 4
        )  # Of large images it is the largest array.
        goes_on = goes_on & (rng.random(goes_on.shape) < 0.7)


def every_pass(model, planes, plane, mask=None):
    """The probabilities of all passes over a plane."""
    known = np.zeros_like(plane)
    source, target = (each.reshape(-1, model.bits) for each in (plane, known))
    for part in model.passes(planes, known, mask):
        target[part.locations, part.channels] = source[part.locations, part.channels]
        yield part.probabilities


@pytest.mark.parametrize("size", [(30, 41), (31, 40), (43, 7), (7, 90)])
def test_large_planes_are_computed_in_parts(monkeypatch, size):
    model = small_model(iterations=3)
    *before, plane = likely_planes(model, (*size, model.bits))[:3]
    mask = np.random.default_rng(1).random(size) < 0.7

    def results():
        entropy_model._grid.cache_clear()
        yield model.probabilities(before, plane)
        yield from model.probabilities_of_batch([before] * 2, [plane] * 2)
        yield from every_pass(model, before, plane)
        yield from every_pass(model, before, plane * mask[..., None], mask)

    at_once = list(results())
    with monkeypatch.context() as patch:
        patch.setattr(entropy_model, "_LOCATIONS_AT_ONCE", 64)
        patch.setattr(entropy_model, "_SMALL_GRID", 82)
        entropy_model._batch_grid.cache_clear()
        in_parts = list(results())
        assert entropy_model._grid(*size).stored is None
    entropy_model._grid.cache_clear()
    entropy_model._batch_grid.cache_clear()
    for expected, found in zip(at_once, in_parts, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("with_model", [False, True])
def test_bits_of_large_planes_are_coded_in_parts(monkeypatch, with_model):
    model = small_model()
    shape = (30, 41, model.bits)
    planes = likely_planes(model, shape)

    def results():
        encoder = PlaneEncoder(shape, model if with_model else None)
        for plane in planes:
            encoder.add(plane)
        data = encoder.finish()
        cut = data[: len(data) * 2 // 3]
        yield np.frombuffer(data, np.uint8)
        yield encoder.read_cut(cut)[1].plane
        decoder = PlaneDecoder(cut, shape, encoder.model)
        while isinstance(read := decoder.read(), WholePlane):
            yield read.plane
        yield read.plane

    at_once = list(results())
    monkeypatch.setattr(plane_coder, "_BITS_AT_ONCE", 100)
    for expected, found in zip(at_once, results(), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(at_once[1], at_once[-1])


def test_probabilities_are_those_of_the_logits():
    logits = (np.arange(-128, 128) + 0.5) / 24
    np.testing.assert_array_equal(PROBABILITIES, np.rint(65536 / (1 + np.exp(-logits))))
    np.testing.assert_array_equal(PROBABILITIES + PROBABILITIES[::-1], 65536)
    assert COST_OF_ONE[32768] == 1
    assert pytest.approx(-math.log2(65215 / 65536)) == MIN_COST


def test_the_file_is_the_same_model():
    model = EntropyModel.from_bytes(CONTENT)
    assert model.to_bytes() == CONTENT
    assert (model.model_id, model.bits, len(model.iterations)) == (MODEL_ID, 3, 2)
    assert model.entropy_coded_id == entropy_coded_id(CONTENT)


def test_cut_at_every_byte():
    for size in range(len(CONTENT)):
        with pytest.raises(ModelError):
            EntropyModel.from_bytes(CONTENT[:size])
    for size in range(len(CONTENT) - 4):
        with pytest.raises(ModelError):
            EntropyModel.from_bytes(with_check(CONTENT[:size]))


def test_every_wrong_byte_is_found():
    for position in range(len(CONTENT)):
        damaged = bytearray(CONTENT)
        damaged[position] ^= 0x55
        with pytest.raises(ModelError):
            EntropyModel.from_bytes(bytes(damaged))


@given(st.data())
def test_mutated_files_are_models_or_refused(data):
    content = bytearray(CONTENT[:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content += data.draw(st.binary(max_size=3))
    try:
        model = EntropyModel.from_bytes(with_check(bytes(content)))
    except ModelError:
        return
    plane = np.zeros((3, 4, model.bits), np.int8)
    for part in model.passes([], plane):
        assert ((part.probabilities > 0) & (part.probabilities < 65536)).all()


@given(st.binary(max_size=40))
def test_any_header_is_refused(tail):
    with pytest.raises(ModelError):
        EntropyModel.from_bytes(with_check(b"RNNE\x01" + tail))


def test_a_header_of_large_numbers_takes_no_memory():
    header = struct.pack("<4sB4sBBBHH", b"RNNE", 1, MODEL_ID, 255, 255, 255, 65535, 65535)
    with pytest.raises(ModelError, match="cut"):
        EntropyModel.from_bytes(with_check(header))


def test_an_unknown_version():
    with pytest.raises(ModelError, match="version 9"):
        EntropyModel.from_bytes(with_check(b"RNNE\x09" + CONTENT[5:-4]))


@pytest.mark.parametrize("place", ["output", "plane", "bias"])
def test_sums_that_float32_cannot_hold_are_refused(place):
    values = {
        "context": np.zeros((0, 600), np.float32),
        "plane": np.zeros((9, 600), np.float32),
        "bias": np.zeros((2, 600), np.float32),
        "output": np.zeros((600, 1), np.float32),
        "output_bias": np.zeros(1, np.float32),
    }
    values[place] += {"output": 127, "plane": 1, "bias": EXACT}[place]
    iteration = IterationModel([], [Head(**values)])
    if place == "plane":  # 9 * 255 is far below the limit.
        EntropyModel(MODEL_ID, 1, [iteration])
        return
    with pytest.raises(ModelError, match="iteration 1 are too large"):
        EntropyModel(MODEL_ID, 1, [iteration])


def test_bits_that_are_not_known_count_as_nothing():
    """Zeros do not occur in the plane of an earlier iteration; in this one they are unknown."""
    model = small_model()
    plane = np.zeros((3, 3, model.bits), np.int8)
    first = next(iter(model.passes([], plane)))
    assert len(np.unique(first.probabilities)) == 1
    filled = as_plane(np.ones_like(plane) > 0)
    assert (next(iter(model.passes([], filled))).probabilities == first.probabilities).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 40, 83])
@pytest.mark.parametrize("shape", [(0, 4), (9, 4), (45, 16)])
def test_products_are_exact(monkeypatch, rows, shape):
    """In one piece and in a stack of small ones."""
    random = np.random.default_rng(0)
    values = random.integers(-255, 256, (rows, shape[0]))
    kernel = random.integers(-127, 128, shape)
    for most in (1 << 18, 2000):
        monkeypatch.setattr(entropy_model, "_SMALL_PRODUCT", most)
        found = entropy_model._product(values.astype(np.float32), kernel.astype(np.float32))
        np.testing.assert_array_equal(found, values @ kernel)


def fail_as_on_arm_with_sme(monkeypatch, fails):
    """Has some of the products come out wrong; `fails` is given the factors."""
    right = entropy_model._product

    def product(values, kernel):
        return right(values, kernel) + (0.5 if fails(values, kernel) else 0)

    monkeypatch.setattr(entropy_model, "_product", product)


def test_factors_that_are_not_contiguous_are_not_used(monkeypatch):
    model = small_model(groups=3)
    planes = likely_planes(model, (4, 5, model.bits))
    coded = PlaneEncoder(planes[0].shape, model)
    for plane in planes:
        coded.add(plane)
    fail_as_on_arm_with_sme(
        monkeypatch,
        lambda values, kernel: not (values.flags.c_contiguous and kernel.flags.c_contiguous),
    )
    decoder = PlaneDecoder(coded.finish(), planes[0].shape, model)
    for plane in planes:
        np.testing.assert_array_equal(decoder.read().plane, plane)


@pytest.mark.parametrize("large", [False, True])
def test_wrong_products_are_noticed(monkeypatch, large):
    """Else they would make streams that can be read nowhere else."""
    model = small_model(groups=3, seed=5)
    fail_as_on_arm_with_sme(monkeypatch, lambda _, kernel: (kernel.size > 30) == large)
    plane = as_plane(np.zeros((4, 5, model.bits), bool))
    with pytest.raises(InstallationError, match="OPENBLAS_CORETYPE"):
        PlaneEncoder(plane.shape, model).add(plane)
