"""Golden vectors: what clients must compute with the files in export/."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

from tfrnnc.bitstream import StreamSpec, StreamWriter, pack_plane
from tfrnnc.files import replacing
from tfrnnc.images import read_image
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime
from tfrnnc.runtimes.residual_loop import iterate

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
# A logit nearer to zero than this could change sign with the order of a sum.
LEAST_LOGIT = 1e-5


def golden_images(size: tuple[int, int]) -> dict[str, Iterator[np.ndarray]]:
    """For each example photo pieces of a size, reduced by averaging blocks.

    The first is from the middle, each of the others one pixel further right in the photo.
    """
    return {path.stem: _pieces(read_image(path), size) for path in sorted(PHOTOS.glob("*.png"))}


def _pieces(photo: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
    # Less than the whole photo, so that there is room to move.
    factor = min((photo.shape[0] - 1) // size[0], (photo.shape[1] - 1) // size[1])
    height, width = size[0] * factor, size[1] * factor
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    while left + width <= photo.shape[1]:
        piece = photo[top : top + height, left : left + width]
        blocks = piece.reshape(size[0], factor, size[1], factor, 3)
        yield np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)
        left += 1


def write_golden_vectors(
    folder: Path, manifest: Manifest, images: dict[str, Iterator[np.ndarray]]
) -> None:
    """Runs the files, and keeps what they give.

    Of each photo the first piece is taken that leaves no logit near zero, if there is one.
    """
    runtime = LiteRTRuntime(folder, threads=1)
    model = ModelFolder(folder).read_entropy_model()
    golden = folder / "golden"
    shutil.rmtree(golden, ignore_errors=True)
    golden.mkdir()
    entries = []
    for name, pieces in images.items():
        for image in pieces:
            iterations = list(iterate(runtime, image))
            least_logit = min(np.abs(iteration.logits).min() for iteration in iterations)
            if least_logit >= LEAST_LOGIT:
                break
        else:
            click.echo(f"{folder}: no piece of {name} leaves all logits away from zero")
            continue
        height, width, _ = image.shape
        spec = StreamSpec(
            bytes.fromhex(manifest.model_id),
            manifest.stride,
            manifest.bits,
            manifest.iterations,
            model,
        )
        writer = StreamWriter(spec.header(width, height), spec)
        for iteration in iterations:
            writer.add(iteration.plane)
        Image.fromarray(image).save(golden / f"{name}.png")
        pictures = np.concatenate([iteration.picture for iteration in iterations])
        Image.fromarray(pictures).save(golden / f"{name}_steps.png")
        (golden / f"{name}.rnnc").write_bytes(writer.stream())
        entries.append(
            {
                "name": name,
                "bits": [pack_plane(iteration.plane).hex() for iteration in iterations],
                "least_logit": float(f"{least_logit:.2e}"),
            }
        )
    if not entries:
        raise click.ClickException(f"{folder}: no golden image is usable")
    with replacing(golden / "golden.json") as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + "\n")
