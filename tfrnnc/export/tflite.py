"""SavedModels to TFLite files that phones, pages and the codec itself run."""

from __future__ import annotations

import tempfile
from pathlib import Path

import tensorflow as tf

from tfrnnc.errors import ModelError
from tfrnnc.export.manifest import Manifest, StepFile
from tfrnnc.export.saved_model import export_saved_models
from tfrnnc.files import replacing
from tfrnnc.models import ResidualCodec
from tfrnnc.models.model_files import model_id


def export_tflite(
    model: ResidualCodec, folder: Path, size: tuple[int, int] | None = None
) -> Manifest:
    """Writes each step of a model as a TFLite file, and the manifest of all.

    The files are `encoder_1.tflite`, `decoder_1.tflite`, and so on as for
    `export_saved_models`, which has the names of the tensors too.

    Args:
        model: a codec model (Keras on the TensorFlow backend).
        folder: where to write; made if missing.
        size: (H, W) in pixels of the images; None makes files that take any multiple of the
            model's stride, for runtimes that can resize.

    Returns:
        the manifest, as written to `manifest.json`; its parity is left to
        `tfrnnc.codec.parity.measure_parity`.

    Raises:
        ConfigError: if the size is no multiple of the stride.
        ModelError: if a file has no weights or operators that are not built in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[StepFile]] = {"encoder": [], "decoder": []}
    with tempfile.TemporaryDirectory() as temporary_folder:
        for step in export_saved_models(model, Path(temporary_folder), size):
            converter = tf.lite.TFLiteConverter.from_saved_model(str(step.folder))
            content = converter.convert()
            path = folder / f"{step.folder.name}.tflite"
            check_tflite(content, step.weights_bytes, path.name)
            with replacing(path) as temporary:
                temporary.write_bytes(content)
            files[step.kind].append(StepFile.of(path, step.inputs, step.outputs))
    manifest = Manifest(
        model_id(model).hex(),
        model.arch,
        model.reconstruction,
        model.stride,
        model.bits,
        model.steps,
        size,
        files["encoder"],
        files["decoder"],
    )
    manifest.write(folder)
    return manifest


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
