"""How exported files compare with the Keras model that they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfrnnc.codec.keras_runtime import KerasRuntime
from tfrnnc.codec.litert_runtime import LiteRTRuntime
from tfrnnc.codec.runtime import Runtime
from tfrnnc.export.manifest import Manifest
from tfrnnc.images import pad_to_multiple, to_float, to_uint8


def export_measured(
    model, folder: Path, images: Sequence[np.ndarray], size: tuple[int, int] | None = None
) -> Manifest:
    """Exports a model to TFLite files and measures them.

    Args:
        model: the `tfrnnc.models.ResidualCodec` to export.
        folder: as for `tfrnnc.export.tflite.export_tflite`.
        images: as for `measure_parity`.
        size: as for `tfrnnc.export.tflite.export_tflite`.

    Returns:
        the manifest with its parity, as written to `manifest.json`.

    Raises:
        ConfigError, ModelError: as for `tfrnnc.export.tflite.export_tflite`.
    """
    # Imported late: it needs TensorFlow, which comparing does not.
    from tfrnnc.export.tflite import export_tflite

    manifest = export_tflite(model, folder, size)
    manifest = replace(manifest, parity=measure_parity(model, folder, images))
    manifest.write(folder)
    return manifest


def measure_parity(model, folder: Path, images: Sequence[np.ndarray]) -> dict[str, Any]:
    """Compares exported files with Keras, step by step on the same residuals and bits.

    Args:
        model: the `tfrnnc.models.ResidualCodec` that was exported.
        folder: with the files and their manifest.
        images: uint8 (H, W, 3); padded to a multiple of the stride.

    Returns:
        the number of images; for each step the number of bits that differ, of how many; the
        greatest difference of the picture, as a float in [-0.9, 0.9] and in grey levels.
    """
    runtimes: tuple[Runtime, Runtime] = (KerasRuntime(model), LiteRTRuntime(folder))
    differing = np.zeros(model.steps, int)
    bits = 0
    float_difference, level_difference = 0.0, 0
    for image in images:
        residual = original = to_float(pad_to_multiple(image, model.stride))
        encoder_states: list = [None, None]
        decoder_states: list = [None, None]
        reconstructions: list = [None, None]
        for step in range(model.steps):
            planes = []
            for i, runtime in enumerate(runtimes):
                plane, encoder_states[i] = runtime.encode_step(residual, encoder_states[i], step)
                planes.append(plane)
            differing[step] += np.count_nonzero(planes[0] != planes[1])
            bits += planes[0].size
            for i, runtime in enumerate(runtimes):
                reconstructions[i], decoder_states[i] = runtime.decode_step(
                    planes[0], decoder_states[i], reconstructions[i], step
                )
            expected, exported = reconstructions
            float_difference = max(float_difference, float(np.abs(expected - exported).max()))
            levels = to_uint8(expected).astype(int) - to_uint8(exported)
            level_difference = max(level_difference, int(np.abs(levels).max()))
            residual = original - expected
    return {
        "images": len(images),
        "bits_differing": differing.tolist(),
        "bits_per_step": bits // model.steps,
        "max_difference": float_difference,
        "max_level_difference": level_difference,
    }
