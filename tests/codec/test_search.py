from __future__ import annotations

import numpy as np
import pytest

import tfrnnc
from tfrnnc.bitstream import EntropyModel, StreamWriter, read_header
from tfrnnc.bitstream.entropy_model import Head, IterationModel
from tfrnnc.codec.effort import AIMS
from tfrnnc.codec.search import Aim, BitSearch
from tfrnnc.errors import ConfigError
from tfrnnc.images import read_image, to_float
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.runtimes.residual_loop import ResidualLoop

AIM = AIMS["psnr"]


def cost(image: np.ndarray, picture: np.ndarray) -> float:
    """What the search is to lower, of whole images of 8x8 blocks."""
    error = np.mean(np.square(to_float(image) - to_float(picture)))
    return float(error + AIM.ssim_weight * (1 - block_ssim(image, picture)))


@pytest.mark.parametrize("size", [(32, 40), (5, 9), (1, 1), (17, 30)])
def test_streams_of_a_search_decode_to_its_picture(tiny_codec, noise, size):
    image = noise(*size)
    data, picture, *_ = tiny_codec.encode_with_picture(image, effort=3)
    np.testing.assert_array_equal(tiny_codec.decode(data), picture)
    plain = tiny_codec.encode(image)
    assert tiny_codec.encode(image, effort=0) == plain
    assert (data != plain) or size == (1, 1)


def test_more_effort_costs_less(tiny_codec, noise):
    """In the first iteration, whose alternatives are the same; each later one starts elsewhere."""
    image = noise(48, 64)
    costs = [
        cost(image, next(iter(tiny_codec.encode_iterations(image, effort=effort)))[1])
        for effort in (0, 1, 3, 4)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[1] < costs[0]


def test_a_trained_model_gains(request):
    """In both measures, from the first iteration on."""
    codec = tfrnnc.load()
    photo = read_image(request.config.rootpath / "examples" / "photos" / "chelsea.png")
    photo = photo[100:164, 180:276]
    plain, searched = (
        [(psnr(photo, picture), block_ssim(photo, picture)) for _, picture in iterations]
        for iterations in (
            codec.encode_iterations(photo, 3),
            codec.encode_iterations(photo, 3, effort=2),
        )
    )
    assert (np.array(searched) > np.array(plain)).all()
    assert searched[0][0] > plain[0][0] + 0.2


def test_least_certain_bits_are_tried_first(noise):
    """Two locations of two bits in each direction make a cell, of a model with stride 4."""
    logits = np.arange(1, 33, dtype=np.float32).reshape(4, 4, 2)
    logits[1, 1, 1] = -0.5
    logits[3, 2, 0] = 0.25
    candidates = BitSearch(noise(16, 16), 4, 2, AIM)._candidates(logits)
    places = np.arange(32).reshape(4, 4, 2)
    assert candidates.shape == (2, 2, 2)
    assert candidates[0, 0].tolist() == [places[1, 1, 1], places[0, 0, 0]]
    assert candidates[1, 1].tolist() == [places[3, 2, 0], places[2, 2, 0]]


def test_cells_at_the_edge_have_fewer_bits(noise):
    logits = np.ones((3, 3, 1), np.float32)
    candidates = BitSearch(noise(12, 12), 4, 4, AIM)._candidates(logits)
    assert (candidates >= 0).sum() == 9
    assert candidates[1, 1].tolist() == [8, -1, -1, -1]


def test_only_bits_that_help_are_turned(noise):
    """A decoder that shows each bit in its own cell, so that the best plane is known."""
    image = np.repeat(np.repeat(noise(4, 5)[..., :1] > 127, 8, 0), 8, 1)
    image = np.where(np.repeat(image, 3, 2), np.uint8(255), np.uint8(0))
    best = np.where(image[::8, ::8, :1] > 0, 1, -1).astype(np.int8)

    def decode(plane):
        cells = np.repeat(np.repeat(plane.astype(np.float32), 8, 0), 8, 1)
        return np.repeat(cells, 3, 2) * 0.9, "states"

    logits = np.ones_like(best, dtype=np.float32)
    plane, decoded = BitSearch(image, 8, 1, AIM).improve(np.ones_like(best), logits, decode)
    np.testing.assert_array_equal(plane, best)
    np.testing.assert_allclose(decoded[0], to_float(image), atol=1e-6)
    assert decoded[1] == "states"


def test_bits_that_cost_less_are_preferred(noise):
    """Where the picture is the same either way, likely bits win."""
    head = Head(
        context=np.zeros((0, 1), np.float32),
        plane=np.zeros((9, 1), np.float32),
        bias=np.full((2, 1), 100 * 128, np.float32),
        output=np.full((1, 1), -120, np.float32),
        output_bias=np.zeros(1, np.float32),
    )
    model = EntropyModel(b"test", 1, [IterationModel([], [head])])  # It expects -1, everywhere.
    image = noise(16, 24)

    def decode(plane):
        return np.zeros((16, 24, 3), np.float32), plane.sum()

    logits = np.full((2, 3, 1), 0.1, np.float32)
    plane = np.ones_like(logits, np.int8)
    searched, decoded = BitSearch(image, 8, 1, AIM, model).improve(plane, logits, decode)
    assert (searched == -1).all()
    assert decoded[1] == -6
    for heedless in (BitSearch(image, 8, 1, AIM), BitSearch(image, 8, 1, Aim(0.02, 0.0), model)):
        searched, _ = heedless.improve(plane, logits, decode)
        np.testing.assert_array_equal(searched, plane)


def test_entropy_coded_it_looks_at_the_bytes(request):
    """A searched photo takes fewer bytes if the search knows that it will be entropy-coded."""
    codec = tfrnnc.load()
    photo = read_image(request.config.rootpath / "examples" / "photos" / "coffee.png")[:96, :128]
    aware = codec.encode(photo, effort=2)
    plain = codec.encode(photo, effort=2, entropy_coding=False)
    writer = StreamWriter(read_header(aware)[0], codec.spec)
    for plane in codec.read_planes(plain).planes:
        writer.add(plane)
    assert len(aware) < 0.99 * len(writer.stream())


def test_the_loop_goes_on_from_what_was_found(tiny_codec, noise):
    """Its next residual is that of the picture that decoders see."""
    image = noise(24, 24)
    runtime = tiny_codec.runtime
    loop = ResidualLoop(runtime, image, refine=BitSearch(image, runtime.stride, 2, AIM).improve)
    planes = []
    for _ in range(3):
        plane, picture = loop.iterate()
        planes.append(plane)
        states = reconstruction = None
        for iteration, each in enumerate(planes):
            reconstruction, states = runtime.decode_iteration(
                each, states, reconstruction, iteration
            )
        np.testing.assert_allclose(loop.residual, to_float(image) - reconstruction, atol=1e-6)
        assert psnr(image, picture) > 0


def test_effort_out_of_range(tiny_codec, noise):
    with pytest.raises(ConfigError, match="effort must be from 0 to 8"):
        tiny_codec.encode(noise(8, 8), effort=-1)
