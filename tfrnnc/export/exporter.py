"""From a model to files that have been compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfrnnc.export.export_options import ExportOptions
from tfrnnc.export.parity import compare_with_keras, record_parity
from tfrnnc.export.sample_images import calibration_images, images_of_size, noise
from tfrnnc.export.saved_model import check_size, export_saved_models
from tfrnnc.export.tflite import export_tflite
from tfrnnc.model_folder.keras_model import load_model, save_model
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.training.weight_constraints import Clustering, FineTuning, Pruning


class WrittenFile(NamedTuple):
    """A file or a SavedModel that was written.

    Attributes:
        path: of it.
        size_bytes: of the file; of a SavedModel, the bytes of its weights.
    """

    path: Path
    size_bytes: int


class Exported(NamedTuple):
    """What an export wrote.

    Attributes:
        files: in the order of writing.
        parity: as `compare_with_keras` returns it; None for SavedModels, which are not compared.
    """

    files: list[WrittenFile]
    parity: dict[str, Any] | None


class Exporter:
    """Writes the files of a model and compares them with Keras.

    Making it loads the model, reads the images and refuses what does not fit; nothing is written
    before `optimize` or `write`.

    Args:
        source: the folder of the model.
        target: the folder for the files; made if missing.
        options: what is exported.

    Raises:
        ConfigError: if the size is no multiple of the model's stride.
        DataError: if a folder has no image that is large enough.
        ModelError: if the model cannot be loaded.
    """

    def __init__(self, source: ModelFolder, target: ModelFolder, options: ExportOptions) -> None:
        self._source, self._target, self._options = source, target, options
        self._model = load_model(source)
        self._optimization: dict[str, Any] = {}
        size = options.size
        check_size(self._model, size)
        self._compared: Sequence[np.ndarray] = ()
        if options.target != "savedmodel":
            self._compared = (
                images_of_size(options.images, size)
                if options.images
                else noise(size, self._model.stride)
            )
        self._calibrating = (
            calibration_images(options.calibration, size) if options.calibration else ()
        )

    def optimize(
        self,
        constraint: Pruning | Clustering,
        images: Sequence[np.ndarray],
        fine_tuning: FineTuning,
        *,
        quiet: bool = False,
    ) -> dict[str, Any]:
        """Prunes or clusters the model, and saves it in the target folder.

        Args:
            constraint: what the kernels become.
            images: uint8 arrays (H, W, 3) to fine-tune on.
            fine_tuning: how.
            quiet: no progress bar.

        Returns:
            what `tfrnnc.training.weight_optimization.optimize_weights` does, and raises what it
            does.
        """
        # Imported late: an export that changes no weights does not need what trains.
        from tfrnnc.training.weight_optimization import optimize_weights

        self._optimization = optimize_weights(
            self._model, constraint, images, fine_tuning.recipe, quiet=quiet
        )
        save_model(self._model, self._target.path)
        return self._optimization

    def write(self) -> Exported:
        """Writes the files.

        Raises:
            ConfigError: if the quantisation is not known, or has no images to calibrate with.
            InstallationError: if a package is missing.
            ModelError: if a file comes out wrong.
        """
        match self._options.target:
            case "tflite":
                return self._write_tflite()
            case "savedmodel":
                return self._write_saved_models()
            case "onnx":
                return self._write_onnx()

    def _write_tflite(self) -> Exported:
        folder, options = self._target.path, self._options
        manifest = export_tflite(
            self._model, folder, options.size, options.quantize, self._calibrating
        )
        manifest = replace(manifest, optimization=self._optimization)
        manifest = record_parity(manifest, self._model, folder, self._compared)
        files = [
            WrittenFile(folder / file.name, file.size_bytes)
            for file in (*manifest.encoders, *manifest.decoders)
        ]
        # The entropy model was trained on the bits of the model as it was.
        elsewhere = self._source.path.resolve() != folder.resolve()
        if elsewhere and not self._optimization and self._source.copy_entropy_model(self._target):
            path = self._target.entropy_model_path
            files.insert(0, WrittenFile(path, path.stat().st_size))
        return Exported(files, manifest.parity)

    def _write_saved_models(self) -> Exported:
        iterations = export_saved_models(self._model, self._target.path, self._options.size)
        files = [WrittenFile(each.folder, each.weights_bytes) for each in iterations]
        return Exported(files, None)

    def _write_onnx(self) -> Exported:
        # Imported late: only this needs onnx and onnxruntime.
        from tfrnnc.export.onnx_files import export_onnx
        from tfrnnc.runtimes.onnx_runtime import OnnxRuntime

        folder = self._target.path
        paths = export_onnx(self._model, folder, self._options.size)
        parity = compare_with_keras(self._model, OnnxRuntime(folder), self._compared)
        return Exported([WrittenFile(path, path.stat().st_size) for path in paths], parity)
