"""Planes to pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from tfrnnc.bitstream import coded_locations
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
    if runtime.reconstruction == "one_shot" and not (adaptive and runtime.independent):
        *earlier, last_plane = planes
        states = None
        for iteration, plane in enumerate(earlier):
            states = runtime.decode_states(plane, states, iteration)
        last, _ = runtime.decode_iteration(last_plane, states, None, len(earlier))
    else:
        (last,) = deque(_reconstructions(runtime, planes, adaptive), maxlen=1)
    return to_uint8(last[: shape[0], : shape[1]])


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


def per_pixel(mask: np.ndarray, stride: int, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of locations, bool (h, w), as one of pixels, bool (H, W, 1).

    Args:
        mask: of the locations.
        stride: pixels between two locations.
        shape: (H, W, ...) of the picture.
    """
    pixels = mask.repeat(stride, axis=0)[: shape[0]].repeat(stride, axis=1)[:, : shape[1]]
    return pixels[..., None]


def _reconstructions(
    runtime: Runtime, planes: Sequence[np.ndarray], adaptive: bool
) -> Iterator[np.ndarray]:
    reconstruction: np.ndarray | None = None
    states = None
    for iteration, plane in enumerate(planes):
        before = reconstruction
        reconstruction, states = runtime.decode_iteration(plane, states, before, iteration)
        if adaptive and runtime.independent and before is not None:
            goes_on = per_pixel(coded_locations(plane), runtime.stride, reconstruction.shape)
            reconstruction = np.where(goes_on, reconstruction, before)
        yield reconstruction
