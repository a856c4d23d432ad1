"""SavedModels to TFLite files that phones, pages and the codec itself run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.export.quantization import QUANTIZATIONS, Inputs, convert, roll_out
from tfrnnc.export.saved_model import export_saved_models
from tfrnnc.files import replacing
from tfrnnc.model_folder.keras_model import model_id
from tfrnnc.model_folder.manifest import IterationFile, Manifest
from tfrnnc.models import ResidualCodec


def export_tflite(
    model: ResidualCodec,
    folder: Path,
    size: tuple[int, int] | None = None,
    quantize: str = "none",
    calibration_images: Sequence[np.ndarray] = (),
) -> Manifest:
    """Writes each iteration of a model as a TFLite file, and the manifest of all.

    The files are `encoder_1.tflite`, `decoder_1.tflite`, and so on as for
    `export_saved_models`, which has the names of the tensors too.

    Args:
        model: a codec model (Keras on the TensorFlow backend).
        folder: where to write; made if missing.
        size: (H, W) in pixels of the images; None makes files that take any multiple of the
            model's stride, for runtimes that can resize.
        quantize: a name in `tfrnnc.export.quantization.QUANTIZATIONS`.
        calibration_images: for "int8", uint8 (H, W, 3) like those that will be encoded, of
            `size` if that is given.

    Returns:
        the manifest, as written to `manifest.json`; its parity is left to
        `tfrnnc.export.parity.measure_parity`.

    Raises:
        ConfigError: if the size is no multiple of the stride, the quantisation is not known, or
            it needs images to calibrate and has none.
        InstallationError: if the quantisation needs a package that is not installed.
        ModelError: if a file has no weights or operators that are not built in.
    """
    if quantize not in QUANTIZATIONS:
        raise ConfigError(
            f"there is no quantisation {quantize!r}; there are {', '.join(QUANTIZATIONS)}"
        )
    calibration: Iterable[list[Inputs]] = itertools.repeat([])
    if quantize == "int8":
        if not calibration_images:
            raise ConfigError("the quantisation int8 needs images to calibrate with")
        calibration = itertools.chain(*roll_out(model, calibration_images))
    contents, files = _make_files(model, size, quantize, calibration)
    manifest = Manifest(
        model_id=model_id(model).hex(),
        arch=model.arch,
        reconstruction=model.reconstruction,
        stride=model.stride,
        bits=model.bits,
        iterations=model.iterations,
        size=size,
        quantization=quantize,
        versions=converter_versions(),
        encoders=files["encoder"],
        decoders=files["decoder"],
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    manifest.write(folder)
    return manifest


def _make_files(
    model: ResidualCodec,
    size: tuple[int, int] | None,
    quantize: str,
    calibration: Iterable[list[Inputs]],
) -> tuple[dict[str, bytes], dict[str, list[IterationFile]]]:
    """Converts each iteration.

    Returns:
        the contents of the files by their names, and the descriptions of the encoders' and the
        decoders'.
    """
    contents: dict[str, bytes] = {}
    files: dict[str, list[IterationFile]] = {"encoder": [], "decoder": []}
    with tempfile.TemporaryDirectory() as temporary_folder:
        iterations = export_saved_models(model, Path(temporary_folder), size)
        for iteration, inputs in zip(iterations, calibration, strict=False):
            name = f"{iteration.folder.name}.tflite"
            contents[name] = content = convert(iteration, quantize, inputs)
            least = iteration.weights_bytes * QUANTIZATIONS[quantize].weight_bits // 32
            check_tflite(content, least, name)
            described = IterationFile.describe(
                name, content, iteration.margin, iteration.inputs, iteration.outputs
            )
            files[iteration.kind].append(described)
    return contents, files


def converter_versions() -> dict[str, str]:
    """Versions of the packages that decide on the bytes of the files, where installed."""
    versions = {}
    for package in ("tensorflow", "ai-edge-quantizer"):
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def check_tflite(content: bytes, weights_bytes: int, name: str) -> None:
    """Refuses a TFLite file that cannot be right.

    Args:
        content: of the file.
        weights_bytes: least bytes that its weights take.
        name: of the file, for messages.

    Raises:
        ModelError: if it is smaller than its weights, keeps variables outside of it, or needs
            TensorFlow's own operators.
    """
    if len(content) < weights_bytes:
        raise ModelError(
            f"{name}: has {len(content):,} bytes, but its weights alone are {weights_bytes:,}; "
            "they were lost on the way"
        )
    for operator in (b"VAR_HANDLE", b"VarHandleOp", b"Flex"):
        if operator in content:
            raise ModelError(f"{name}: has the operator {operator.decode()}, which is not built in")
