"""`manifest.json`: what a client must know of the exported files, Keras apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfrnnc.bitstream.constants import ID_BYTES, MAX_ITERATIONS
from tfrnnc.errors import ModelError
from tfrnnc.files import open_regular, replacing
from tfrnnc.model_folder.file_names import MANIFEST_FILE
from tfrnnc.model_folder.json_fields import FieldError, Fields, read_all, read_json

#: Signatures of an iteration's file. TFLite puts the first in the alphabet where the file's default
#: is.
WHOLE_ITERATION, STATES_ONLY = "serving_default", "states_only"

#: Names of quantisations with which a file computes in 8 bits.
INT8_QUANTIZATIONS = ("dynamic", "int8")

MAX_SIDE = 65_536  #: of the images, in pixels, that files of one size are made for
MAX_CHANNELS = 65_536  #: of a tensor
MAX_STATES = 256  #: of an iteration
MAX_STRIDE = 1024  #: pixels between two locations of a tensor
MAX_FILE_BYTES = 1 << 31  #: of a TFLite file; flatbuffers end there


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

    def spatial_shape(self, size: tuple[int, int] | None) -> tuple[int, int] | tuple[None, None]:
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
        return cls(
            name=name,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            margin=margin,
            inputs=inputs,
            outputs=outputs,
        )

    def read(self, folder: Path) -> bytes:
        """The file's content.

        Raises:
            ModelError: if it is missing, or not the one that the manifest describes.
        """
        path = folder / self.name
        try:
            with open_regular(path) as file:
                content = file.read(self.size_bytes + 1)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; export the model again") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelError(
                f"{path}: damaged, or not the file that {MANIFEST_FILE} describes; "
                "export the model again"
            )
        return content


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `manifest.json` holds.

    Attributes:
        model_id: identity of the model, in hexadecimal.
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
        parity: how the files compare with Keras, as measured; empty before it is.
    """

    model_id: str
    arch: str
    reconstruction: Literal["additive", "one_shot"]
    stride: int
    bits: int
    iterations: int
    size: tuple[int, int] | None
    quantization: str
    versions: dict[str, Any]
    encoders: list[IterationFile]
    decoders: list[IterationFile]
    optimization: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)

    @property
    def arithmetic(self) -> str:
        """What the files compute in: "int8" or "float32"."""
        return "int8" if self.quantization in INT8_QUANTIZATIONS else "float32"

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
            manifest = read_all(read_json(path), _manifest)
            for problem in _contradictions(manifest):
                raise FieldError(problem)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; export the model first") from error
        except FieldError as error:
            raise ModelError(f"{path}: not a manifest ({error}); export the model again") from error
        return manifest


def _manifest(fields: Fields) -> Manifest:
    return Manifest(
        model_id=fields.hexadecimal("model_id", ID_BYTES),
        arch=fields.text("arch", "[a-z0-9_]{1,40}", "the name of an architecture"),
        reconstruction=fields.choice("reconstruction", _RECONSTRUCTIONS),
        stride=fields.integer("stride", 1, MAX_STRIDE),
        bits=fields.integer("bits", 1, MAX_CHANNELS),
        iterations=fields.integer("iterations", 1, MAX_ITERATIONS),
        size=_size(fields),
        quantization=fields.text("quantization", "[a-z0-9_]{1,40}", "the name of a quantisation"),
        versions=fields.free("versions"),
        encoders=fields.objects("encoders", 1, MAX_ITERATIONS, _iteration_file),
        decoders=fields.objects("decoders", 1, MAX_ITERATIONS, _iteration_file),
        optimization=fields.free("optimization"),
        parity=fields.free("parity"),
    )


_RECONSTRUCTIONS: tuple[Literal["additive"], Literal["one_shot"]] = ("additive", "one_shot")


def _size(fields: Fields) -> tuple[int, int] | None:
    if fields.is_null("size"):
        return None
    height, width = fields.integers("size", 2, 1, MAX_SIDE)
    return height, width


def _iteration_file(fields: Fields) -> IterationFile:
    return IterationFile(
        # Neither a path nor a name that a system takes for something else.
        name=fields.text("name", r"\w[\w.-]{0,200}", "the plain name of a file"),
        size_bytes=fields.integer("size_bytes", 1, MAX_FILE_BYTES),
        sha256=fields.hexadecimal("sha256", 32),
        margin=fields.integer("margin", 0, MAX_SIDE),
        inputs=fields.objects("inputs", 1, MAX_STATES, _tensor),
        outputs=fields.objects("outputs", 1, MAX_STATES, _tensor),
    )


def _tensor(fields: Fields) -> Tensor:
    return Tensor(
        name=fields.text("name", r"\w{1,40}", "the name of a tensor"),
        channels=fields.integer("channels", 1, MAX_CHANNELS),
        stride=fields.integer("stride", 1, MAX_STRIDE),
    )


def _contradictions(manifest: Manifest) -> Iterator[str]:
    """What does not fit together in a manifest whose fields are right each."""
    stride = manifest.stride
    if manifest.size and (manifest.size[0] % stride or manifest.size[1] % stride):
        yield f"size is no multiple of the stride {stride}"
    if len(manifest.encoders) != len(manifest.decoders):
        yield "there are not as many encoders as decoders"
    image, latent_bits = (3, 1), (manifest.bits, stride)
    for kind, files, names, shapes in (
        ("encoders", manifest.encoders, ("residual", "logits"), (image, latent_bits)),
        ("decoders", manifest.decoders, ("bits", "prediction"), (latent_bits, image)),
    ):
        for number, file in enumerate(files):
            place = f"{kind}[{number}]"
            if _shapes(file) != _shapes(files[0]):
                yield f"{place} has not the tensors of {kind}[0]"
            expected = [Tensor(name, *shape) for name, shape in zip(names, shapes, strict=True)]
            if [file.inputs[0], file.outputs[0]] != expected:
                yield f"{place} has to make {names[1]} of {names[0]}, as stride and bits tell"
            states = [Tensor(f"new_{t.name}", t.channels, t.stride) for t in file.inputs[1:]]
            state_names = [tensor.name for tensor in file.inputs[1:]]
            if states != file.outputs[1:] or len({*state_names}) < len(state_names):
                yield f"the outputs of {place} are not new values of its states"
            if any(stride % tensor.stride for tensor in file.inputs):
                yield f"{place} has strides that do not divide {stride}"


def _shapes(file: IterationFile) -> list[Tensor]:
    return [*file.inputs, *file.outputs]
