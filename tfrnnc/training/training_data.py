"""The images of a run: opened, described, and named so that they are found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.data import ImageSource, JoinedImages, hold_out, open_images
from tfrnnc.data.image_source import image_sizes
from tfrnnc.training.training_set import SIZES, TrainingSet, parse_location

#: What is trained on, and what is measured on, by name.
Sets: TypeAlias = tuple[list[TrainingSet], dict[str, TrainingSet]]


def open_sets(
    data: Sequence[str],
    validation: Sequence[str],
    tfds_dir: str | None,
    tfds_split: str,
    max_pixels: int = MAX_PIXELS,
) -> Sets:
    """The sets to train on and those to measure on, by name.

    Locations without settings of their own are one set.

    Args:
        data: locations to train on, each as for `parse_location`.
        validation: the same to measure on; none holds out images of the others.
        tfds_dir: where TFDS keeps its data sets; None for its default.
        tfds_split: of TFDS's data sets.
        max_pixels: of images in folders; larger ones are skipped, each named in a warning.

    Raises:
        ConfigError: if a location's settings are wrong.
        DataError: if there are no images.
    """
    how = (tfds_split, tfds_dir, max_pixels)
    sources: dict[str, list[ImageSource]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for text in data:
        location, own = parse_location(text)
        key = text if own else ""
        sources.setdefault(key, []).append(open_images(location, *how))
        settings[key] = own
    measured: dict[str, TrainingSet] = {}
    for text in validation:
        location, own = parse_location(text)
        name = Path(location.removeprefix("tfds:")).parent.name if len(validation) > 1 else ""
        if name in measured:
            name = f"{name}_{len(measured) + 1}"
        measured[name] = TrainingSet(open_images(location, *how), **own)
    trained: list[TrainingSet] = []
    for number, (key, joined) in enumerate(sources.items(), start=1):
        images = JoinedImages(joined)
        if not validation:
            images, held_out = hold_out(joined)
            name = str(number) if len(sources) > 1 else ""
            measured[name] = TrainingSet(held_out, **settings[key])
        trained.append(TrainingSet(images, **settings[key]))
    return trained, measured


def describe(sets: Sets) -> dict[str, str]:
    """What must be the same of the images on all workers: their order, sizes and patches."""
    training_sets, validation_sets = sets
    described = {}
    named = {f"training set {number}": one for number, one in enumerate(training_sets, start=1)}
    named |= {f"validation set {name or 1}": one for name, one in validation_sets.items()}
    for name, one in named.items():
        sizes = image_sizes(one.images).astype("<i8")
        digest = hashlib.sha256(sizes.tobytes()).hexdigest()[:8]
        own = {each: getattr(one, each) for each in (*SIZES, "rate", "share")}
        described[name] = f"{len(sizes)} images (their sizes: {digest}), {own}"
    return described


def with_absolute_paths(data: dict[str, Any]) -> dict[str, Any]:
    """What names a run's data, with absolute paths: it can be resumed from another folder.

    Args:
        data: the arguments of `open_sets`.
    """

    def absolute(text: str) -> str:
        location, _ = parse_location(text)
        if location.startswith("tfds:"):
            return text
        return str(Path(location).resolve()) + text[len(location) :]

    return {
        **data,
        "data": [absolute(text) for text in data["data"]],
        "validation": [absolute(text) for text in data["validation"]],
    }
