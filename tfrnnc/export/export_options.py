"""What is exported, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class ExportOptions:
    """Options of an `tfrnnc.export.exporter.Exporter`.

    Attributes:
        target: kind of the files.
        size: height and width of the images in pixels; None for any.
        quantize: for "tflite", a name in `tfrnnc.export.quantization.QUANTIZATIONS`.
        calibration: for the quantisation "int8", a folder of images like those that will be
            encoded.
        images: a folder of images that TFLite and ONNX files are compared with Keras on; None takes
            noise.
    """

    target: Literal["tflite", "savedmodel", "onnx"] = "tflite"
    size: tuple[int, int] | None = None
    quantize: str = "none"
    calibration: Path | None = None
    images: Path | None = None
