"""How exported files compare with the Keras model that they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfrnnc.images import to_uint8
from tfrnnc.metrics import psnr
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime
from tfrnnc.runtimes.residual_loop import Iteration, iterate
from tfrnnc.runtimes.runtime import Runtime, binarize

if TYPE_CHECKING:
    from tfrnnc.models import ResidualCodec


def record_parity(
    manifest: Manifest, model: ResidualCodec, folder: Path, images: Sequence[np.ndarray]
) -> Manifest:
    """Compares exported TFLite files with Keras, for their manifest.

    Args:
        manifest: what `tfrnnc.export.tflite.export_tflite` returned.
        model: the `tfrnnc.models.ResidualCodec` that was exported.
        folder: of the files.
        images: as for `measure_parity`.

    Returns:
        the manifest with its parity, as written to `manifest.json`.
    """
    manifest = replace(manifest, parity=measure_parity(model, folder, images))
    manifest.write(folder)
    return manifest


def measure_parity(
    model: ResidualCodec, folder: Path, images: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Compares TFLite files with Keras; see `compare_with_keras`.

    Args:
        model: the `tfrnnc.models.ResidualCodec` that was exported.
        folder: with the files and their manifest.
        images: uint8 (H, W, 3); padded to a multiple of the stride.

    Returns:
        what `compare_with_keras` does.
    """
    return compare_with_keras(model, LiteRTRuntime(folder), images)


def compare_with_keras(
    model: ResidualCodec, exported: Runtime, images: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Compares a runtime of exported files with Keras.

    Both are given the same residuals and bits at each iteration, those of Keras, and compared; and
    then each encodes the images on its own, and the qualities are compared.

    Args:
        model: the `tfrnnc.models.ResidualCodec` that was exported.
        exported: what runs its files.
        images: uint8 (H, W, 3); padded to a multiple of the stride.

    Returns:
        the number of images; for each iteration the number of bits that differ, of how many; the
        greatest difference of the picture, as a float in [-0.9, 0.9] and in grey levels; for
        each iteration the PSNR in decibels lost when the files decode what Keras encoded, and when
        they encode and decode.
    """
    keras_runtime = KerasRuntime(model)
    differing = np.zeros(model.iterations, int)
    bits = 0
    float_difference, level_difference = 0.0, 0
    # The qualities after each iteration: Keras, its bits decoded by the files, the files alone.
    qualities: tuple[list[list[float]], list[list[float]], list[list[float]]] = ([], [], [])
    for image in images:
        pictures: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for number, (expected, plane, reconstruction) in enumerate(
            _follow(exported, iterate(keras_runtime, image))
        ):
            differing[number] += np.count_nonzero(expected.plane != plane)
            bits += plane.size
            difference = np.abs(expected.reconstruction - reconstruction).max()
            float_difference = max(float_difference, float(difference))
            picture = to_uint8(reconstruction[: image.shape[0], : image.shape[1]])
            levels = np.abs(expected.picture.astype(int) - picture)
            level_difference = max(level_difference, int(levels.max()))
            for shown, each in zip(pictures, (expected.picture, picture), strict=True):
                shown.append(each)
        own = [iteration.picture for iteration in iterate(exported, image)]
        for values, shown in zip(qualities, (*pictures, own), strict=True):
            values.append([psnr(image, picture) for picture in shown])
    keras, decoded, alone = (np.mean(values, axis=0) for values in qualities)
    return {
        "images": len(images),
        "bits_differing": differing.tolist(),
        "bits_per_iteration": bits // model.iterations,
        "max_difference": float_difference,
        "max_level_difference": level_difference,
        # Zero is added because rounding leaves minus zeros.
        "psnr_lost_decoding": (np.round(keras - decoded, 4) + 0).tolist(),
        "psnr_lost": (np.round(keras - alone, 4) + 0).tolist(),
    }


def _follow(
    runtime: Runtime, iterations: Iterable[Iteration]
) -> Iterator[tuple[Iteration, np.ndarray, np.ndarray]]:
    """Gives a runtime the residuals and bits of another one's iterations.

    Yields:
        the iteration, and the bits and the reconstruction that the runtime makes of its inputs.
    """
    encoder_states = decoder_states = reconstruction = None
    for number, iteration in enumerate(iterations):
        logits, encoder_states = runtime.encode_iteration(
            iteration.residual, encoder_states, number
        )
        reconstruction, decoder_states = runtime.decode_iteration(
            iteration.plane, decoder_states, reconstruction, number
        )
        yield iteration, binarize(logits), reconstruction
