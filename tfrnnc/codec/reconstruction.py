"""Planes to pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from tfrnnc.bitstream import coded_locations
from tfrnnc.codec.calls import Calls, DecodeIteration, DecodeStates, Worker, run_alone, run_stepwise
from tfrnnc.codec.strips import decoding_in_strips, decoding_rows, per_pixel, takes_strips
from tfrnnc.images import to_uint8
from tfrnnc.runtimes.runtime import Runtime


def decode(
    runtime: Runtime, planes: Sequence[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> np.ndarray:
    """The picture after the last of the planes, uint8 (H, W, 3).

    Args:
        runtime: of the model.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        adaptive: whether locations may stop. If the model's are independent, those without bits in
            a plane then stay as they were before it.
    """
    return run_alone(Worker(runtime), decoding(runtime, planes, shape, adaptive))


def decoding(
    runtime: Runtime, planes: Sequence[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> Calls[np.ndarray]:
    """What `decode` computes; `run_together` does that for many images at once.

    Args:
        runtime: as for `decode`, like the others.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        adaptive: whether locations may stop.
    """
    if takes_strips(runtime, shape):
        return (yield from decoding_in_strips(runtime, planes, shape, adaptive))
    states: Any = None
    reconstruction: np.ndarray | None = None
    pictures_needed = runtime.reconstruction == "additive" or (adaptive and runtime.independent)
    for iteration, plane in enumerate(planes):
        before = reconstruction
        if pictures_needed or iteration == len(planes) - 1:
            reconstruction, states = yield DecodeIteration(plane, states, before, iteration)
            reconstruction = _where_taken(runtime, plane, reconstruction, before, adaptive)
        else:
            states = yield DecodeStates(plane, states, iteration)
    assert reconstruction is not None
    return to_uint8(reconstruction[: shape[0], : shape[1]])


def decode_rows(
    runtime: Runtime, planes: Sequence[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> Iterator[np.ndarray]:
    """Yields rows of the picture after the last of the planes, uint8 (n, W, 3), in strips.

    Args:
        runtime: of the model, for which the image takes strips.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        adaptive: whether locations may stop; see `decode`.
    """
    done: list[np.ndarray] = []
    calls = decoding_rows(runtime, planes, shape, done.append, adaptive)
    with closing(run_stepwise(Worker(runtime), calls)) as steps:
        for _ in steps:
            while done:
                yield done.pop(0)
    yield from done


def decode_iterations(
    runtime: Runtime, planes: Sequence[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> Iterator[np.ndarray]:
    """Yields the picture after each plane, uint8 (H, W, 3).

    Args:
        runtime: of the model.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        adaptive: whether locations may stop; see `decode`.
    """
    for reconstruction in _reconstructions(runtime, planes, adaptive):
        yield to_uint8(reconstruction[: shape[0], : shape[1]])


def _reconstructions(
    runtime: Runtime, planes: Sequence[np.ndarray], adaptive: bool
) -> Iterator[np.ndarray]:
    reconstruction: np.ndarray | None = None
    states = None
    for iteration, plane in enumerate(planes):
        before = reconstruction
        reconstruction, states = runtime.decode_iteration(plane, states, before, iteration)
        reconstruction = _where_taken(runtime, plane, reconstruction, before, adaptive)
        yield reconstruction


def _where_taken(
    runtime: Runtime,
    plane: np.ndarray,
    reconstruction: np.ndarray,
    before: np.ndarray | None,
    adaptive: bool,
) -> np.ndarray:
    """A reconstruction; where locations stopped, that before it, if the model allows that."""
    if not (adaptive and runtime.independent) or before is None:
        return reconstruction
    goes_on = per_pixel(coded_locations(plane), runtime.stride, reconstruction.shape)
    return np.where(goes_on, reconstruction, before)
