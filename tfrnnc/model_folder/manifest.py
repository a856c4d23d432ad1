"""`manifest.json`: what a client must know of the exported files, Keras apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfrnnc.errors import ModelError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import MANIFEST_FILE

#: Signatures of an iteration's file. TFLite puts the first in the alphabet where the file's default
#: is.
WHOLE_ITERATION, STATES_ONLY = "serving_default", "states_only"


@dataclass(frozen=True)
class Tensor:
    """An input or output of an exported iteration.

    Attributes:
        name: its name in the signature.
        channels: its last dimension.
        stride: image pixels between two of its locations: for an image of (H, W) it has the
            shape (1, H / stride, W / stride, channels).
    """

    name: str
    channels: int
    stride: int

    def spatial_shape(self, size: tuple[int, int] | None) -> tuple:
        """Height and width for an image of `size` pixels; None for any."""
        if size is None:
            return None, None
        return size[0] // self.stride, size[1] // self.stride


@dataclass(frozen=True)
class IterationFile:
    """A TFLite file that runs one iteration of an encoder or a decoder.

    Attributes:
        name: of the file, in the manifest's folder.
        size_bytes: its size.
        sha256: of its content, in hexadecimal.
        margin: how far, in image pixels, its outputs change beside a cut through its inputs.
        inputs: `residual` or `bits` first, then `state_0`, `state_1`, ...
        outputs: `logits` or `prediction` first, then `new_state_0`, `new_state_1`, ...
    """

    name: str
    size_bytes: int
    sha256: str
    margin: int
    inputs: list[Tensor]
    outputs: list[Tensor]

    @classmethod
    def describe(
        cls, name: str, content: bytes, margin: int, inputs: list[Tensor], outputs: list[Tensor]
    ) -> IterationFile:
        """Describes a file of this content."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(name, len(content), digest, margin, inputs, outputs)

    def read(self, folder: Path) -> bytes:
        """The file's content.

        Raises:
            ModelError: if it is missing, or not the one that the manifest describes.
        """
        path = folder / self.name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; export the model again") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelError(
                f"{path}: damaged, or not the file that {MANIFEST_FILE} describes; "
                "export the model again"
            )
        return content


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds.

    Attributes:
        model_id: identity of the model, in hexadecimal, as streams carry it.
        arch: the architecture.
        reconstruction: "additive" if the picture is the sum of the predictions, "one_shot" if
            it is the last one.
        stride: image pixels between two locations of the latent bits.
        bits: bits at each location, for each iteration.
        iterations: most iterations that the model can encode.
        size: (H, W) in pixels that the files are made for; None if they take any multiple of
            the stride.
        quantization: how the weights are stored and used; a name in
            `tfrnnc.export.quantization.QUANTIZATIONS`.
        versions: of the packages that made the files.
        encoders, decoders: the files; iteration t, counted from zero, uses the one with that index,
            or the last.
        optimization: how the weights were optimised; empty if they were not.
        parity: how the files compare with Keras, as measured.
    """

    model_id: str
    arch: str
    reconstruction: Literal["additive", "one_shot"]
    stride: int
    bits: int
    iterations: int
    size: tuple[int, int] | None
    quantization: str
    versions: dict[str, str]
    encoders: list[IterationFile]
    decoders: list[IterationFile]
    optimization: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes `manifest.json` into a folder."""
        with replacing(folder / MANIFEST_FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Reads `manifest.json` in a folder.

        Raises:
            ModelError: if it is missing or not what `write` wrote.
        """
        path = folder / MANIFEST_FILE
        try:
            values = json.loads(path.read_text())
            for kind in ("encoders", "decoders"):
                values[kind] = [_iteration_file(file) for file in values[kind]]
                if not values[kind]:
                    raise ValueError(f"no {kind}")
            values["size"] = values["size"] and tuple(values["size"])
            return cls(**values)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; export the model first") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{path}: not a manifest ({error})") from error


def _iteration_file(values: dict) -> IterationFile:
    for kind in ("inputs", "outputs"):
        values[kind] = [Tensor(**tensor) for tensor in values[kind]]
    file = IterationFile(**values)
    if Path(file.name).name != file.name:
        raise ValueError(f"{file.name} is not the plain name of a file")
    return file
