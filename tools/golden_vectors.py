"""Golden vectors: what clients must compute with the files in export/."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from tfrnnc.bitstream import StreamSpec, StreamWriter, as_plane, pack_plane
from tfrnnc.files import replacing
from tfrnnc.images import read_image, to_float, to_uint8
from tfrnnc.model_folder.entropy_model_file import read_entropy_model
from tfrnnc.model_folder.manifest import WHOLE_ITERATION, Manifest

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
    """Runs the files as a client would, as docs/EXPORT.md tells, and keeps what they give.

    Of each photo the first piece is taken that leaves no logit near zero, if there is one.
    """
    stages = _interpreters(folder, manifest)
    model = read_entropy_model(folder)
    golden = folder / "golden"
    shutil.rmtree(golden, ignore_errors=True)
    golden.mkdir()
    entries = []
    for name, pieces in images.items():
        for image in pieces:
            planes, pictures, least_logit = run_files(*stages, manifest, image)
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
        for plane in planes:
            writer.add(plane)
        Image.fromarray(image).save(golden / f"{name}.png")
        Image.fromarray(np.concatenate(pictures)).save(golden / f"{name}_steps.png")
        (golden / f"{name}.rnnc").write_bytes(writer.stream())
        entries.append(
            {
                "name": name,
                "bits": [pack_plane(plane).hex() for plane in planes],
                "least_logit": float(f"{least_logit:.2e}"),
            }
        )
    if not entries:
        raise click.ClickException(f"{folder}: no golden image is usable")
    with replacing(golden / "golden.json") as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + "\n")


def _interpreters(folder: Path, manifest: Manifest) -> tuple[list, list]:
    encoders, decoders = (
        [Interpreter(str(folder / file.name), num_threads=1) for file in files]
        for files in (manifest.encoders, manifest.decoders)
    )
    return encoders, decoders


def run_files(encoders: list, decoders: list, manifest: Manifest, image: np.ndarray):
    """The bits and the picture after each iteration, and the logit that is nearest to zero."""
    size = image.shape[:2]
    encoder_states, decoder_states = (
        {
            tensor.name: np.zeros((1, *tensor.spatial_shape(size), tensor.channels), np.float32)
            for tensor in files[0].inputs[1:]
        }
        for files in (manifest.encoders, manifest.decoders)
    )
    residual = original = to_float(image)[None]
    picture = np.zeros_like(original)
    planes, pictures, least_logit = [], [], np.inf
    for iteration in range(manifest.iterations):
        encoder, decoder = (
            stages[min(iteration, len(stages) - 1)].get_signature_runner(WHOLE_ITERATION)
            for stages in (encoders, decoders)
        )
        encoder_states = encoder(residual=residual, **encoder_states)
        logits = encoder_states.pop("logits")
        encoder_states = _renamed(encoder_states)
        bits = np.where(logits >= 0, np.float32(1), np.float32(-1))
        decoder_states = decoder(bits=bits, **decoder_states)
        prediction = decoder_states.pop("prediction")
        decoder_states = _renamed(decoder_states)
        picture = prediction + picture if manifest.reconstruction == "additive" else prediction
        residual = original - picture
        planes.append(as_plane(bits[0] > 0))
        pictures.append(to_uint8(picture[0]))
        least_logit = min(least_logit, float(np.abs(logits).min()))
    return planes, pictures, least_logit


def _renamed(states: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix("new_"): value for name, value in states.items()}
