"""The codec that users meet."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tfrnnc.bitstream.container import MAX_PIXELS, Header, read_planes, write_stream
from tfrnnc.codec.keras_runtime import KerasRuntime
from tfrnnc.codec.litert_runtime import LiteRTRuntime
from tfrnnc.codec.runtime import Runtime
from tfrnnc.errors import ConfigError, ModelError, WrongModelError
from tfrnnc.export.manifest import MANIFEST_FILE
from tfrnnc.images import as_rgb, pad_to_multiple, to_float, to_uint8
from tfrnnc.metrics import psnr as measure_psnr
from tfrnnc.presets import DEFAULT_PRESET, model_folder, preset_of, trained_id

logger = logging.getLogger("tfrnnc")


def load(
    name_or_path: str | os.PathLike = DEFAULT_PRESET,
    *,
    runtime: str | None = None,
    threads: int | None = None,
) -> Codec:
    """Loads a codec.

    Args:
        name_or_path: a preset's name (`tfrnnc.list_presets()`), or the folder of a model that
            `tfrnnc-train` or `tfrnnc-export` wrote.
        runtime: "litert" runs the folder's TFLite files, "keras" its weights in Keras. None
            takes LiteRT if the folder has TFLite files, else Keras.
        threads: that LiteRT uses; None takes one for each processor.

    Returns:
        a codec, ready to encode and decode.

    Raises:
        ModelError: if there is no such model, or its files are broken or do not belong
            together.
        InstallationError: if Keras is needed and not installed.
        ConfigError: if the runtime is not one of the two.

    Example:

    >>> codec = load()
    >>> data = codec.encode(np.zeros((20, 30, 3), np.uint8), steps=2)
    >>> codec.decode(data).shape
    (20, 30, 3)
    """
    folder = model_folder(name_or_path)
    if runtime is None:
        runtime = "litert" if (folder / MANIFEST_FILE).is_file() else "keras"
    if runtime == "keras":
        return Codec(KerasRuntime.load(folder))
    if runtime != "litert":
        raise ConfigError(f"there is no runtime {runtime!r}; there are 'litert' and 'keras'")
    codec = Codec(LiteRTRuntime(folder, threads))
    if (trained := trained_id(folder)) not in (None, codec.runtime.model_id.hex()):
        raise ModelError(
            f"{folder}: its TFLite files are of model {codec.runtime.model_id.hex()}, but its "
            f"weights are {trained}; export it again, or take the runtime 'keras'"
        )
    return codec


class Codec:
    """Compresses images to progressive streams and back.

    Streams are progressive: the first steps of a stream decode to exactly what encoding with
    as many steps would have given.

    Args:
        runtime: what runs the model's steps, a `LiteRTRuntime` or a `KerasRuntime`.

    Attributes:
        runtime: the same.
        max_steps: most steps that the model can encode.
    """

    def __init__(self, runtime: Runtime):
        self.runtime = runtime
        self.max_steps = runtime.steps

    def encode(
        self,
        image: Image.Image | np.ndarray,
        *,
        steps: int | None = None,
        bpp: float | None = None,
        max_bytes: int | None = None,
        psnr: float | None = None,
        background: str | None = None,
    ) -> bytes:
        """Compresses an image.

        The limits can be combined; the tightest counts. Without any, all steps are encoded.

        Args:
            image: a Pillow image, or a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
            steps: encode this many steps.
            bpp: at most so many bits per pixel, header included.
            max_bytes: at most so many bytes, header included.
            psnr: stop at the first step that reaches this PSNR in decibels; if none does, all
                steps are encoded, and a warning is logged.
            background: colour behind a transparent image.

        Returns:
            the stream.

        Raises:
            ImageError: if the image is of a kind that cannot be encoded.
            ConfigError: if a limit is out of range, or no step fits in it.
        """
        return self.encode_with_picture(
            image, steps=steps, bpp=bpp, max_bytes=max_bytes, psnr=psnr, background=background
        )[0]

    def encode_with_picture(
        self,
        image: Image.Image | np.ndarray,
        *,
        steps: int | None = None,
        bpp: float | None = None,
        max_bytes: int | None = None,
        psnr: float | None = None,
        background: str | None = None,
    ) -> tuple[bytes, np.ndarray]:
        """As `encode`, and returns what the stream decodes to as well.

        Args, Raises: as for `encode`.

        Returns:
            the pair (stream, picture), the picture uint8 (H, W, 3).
        """
        pixels = as_rgb(image, background)
        limit = self._step_limit(pixels.shape, steps, bpp, max_bytes)
        planes = []
        for plane, picture in self.encode_steps(pixels, limit):
            planes.append(plane)
            if psnr is not None and measure_psnr(pixels, picture) >= psnr:
                break
        else:
            if psnr is not None:
                logger.warning(
                    "a PSNR of %g dB is not reached in %d steps (%.2f dB)",
                    psnr,
                    limit,
                    measure_psnr(pixels, picture),
                )
        return write_stream(self._header(pixels.shape, len(planes)), planes), picture

    def encode_steps(
        self, pixels: np.ndarray, steps: int | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encodes step by step (section 3.1).

        Args:
            pixels: uint8 (H, W, 3).
            steps: how many; None takes all.

        Yields:
            each step's bits, bool (h, w, bits), and the picture after it, uint8 (H, W, 3).
        """
        height, width, _ = pixels.shape
        image = to_float(pad_to_multiple(pixels, self.runtime.stride))
        residual = image
        reconstruction = encoder_states = decoder_states = None
        for step in range(self.max_steps if steps is None else steps):
            plane, encoder_states = self.runtime.encode_step(residual, encoder_states, step)
            reconstruction, decoder_states = self.runtime.decode_step(
                plane, decoder_states, reconstruction, step
            )
            residual = image - reconstruction
            yield plane, _picture(reconstruction, height, width)

    def decode(
        self,
        data: bytes,
        steps: int | None = None,
        *,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """Decompresses a stream.

        Args:
            data: a stream.
            steps: decode this many steps only; None decodes all.
            allow_truncated: decode what is there of a stream that was cut.
            max_pixels: refuse images of more pixels.

        Returns:
            uint8 (H, W, 3).

        Raises:
            StreamError: one of its subclasses, if the stream cannot be decoded.
        """
        header, planes = self._read(data, steps, allow_truncated, max_pixels)
        (reconstruction,) = deque(self._reconstructions(planes), maxlen=1)
        return _picture(reconstruction, header.height, header.width)

    def decode_progressive(
        self, data: bytes, *, allow_truncated: bool = False, max_pixels: int = MAX_PIXELS
    ) -> Iterator[np.ndarray]:
        """Decompresses a stream step by step.

        Args:
            data: a stream.
            allow_truncated: decode what is there of a stream that was cut.
            max_pixels: refuse images of more pixels.

        Yields:
            the picture after each step, uint8 (H, W, 3).

        Raises:
            StreamError: one of its subclasses, before the first picture, if the stream cannot
                be decoded.
        """
        header, planes = self._read(data, None, allow_truncated, max_pixels)
        for reconstruction in self._reconstructions(planes):
            yield _picture(reconstruction, header.height, header.width)

    def _reconstructions(self, planes: list[np.ndarray]) -> Iterator[np.ndarray]:
        reconstruction = states = None
        for step, plane in enumerate(planes):
            reconstruction, states = self.runtime.decode_step(plane, states, reconstruction, step)
            yield reconstruction

    def _header(self, shape: tuple[int, ...], steps: int) -> Header:
        runtime = self.runtime
        return Header(runtime.model_id, shape[1], shape[0], runtime.stride, runtime.bits, steps)

    def _step_limit(self, shape, steps, bpp, max_bytes) -> int:
        limit = self.max_steps
        if steps is not None:
            if not 1 <= steps <= self.max_steps:
                raise ConfigError(
                    f"steps must be from 1 to {self.max_steps} for this model, not {steps}"
                )
            limit = steps
        if bpp is not None:
            if not bpp > 0:
                raise ConfigError(f"bpp must be above 0, not {bpp}")
            allowed = int(min(bpp * shape[0] * shape[1] / 8, 2**62))
            max_bytes = allowed if max_bytes is None else min(max_bytes, allowed)
        if max_bytes is not None:
            least = self._header(shape, 1)
            fitting = 1 + (max_bytes - least.stream_bytes) // least.plane_bytes
            if fitting < 1:
                raise ConfigError(
                    f"{max_bytes} bytes are too few for {shape[1]}x{shape[0]} pixels; the "
                    f"smallest stream of this model has {least.stream_bytes}"
                )
            limit = min(limit, fitting)
        return limit

    def _read(self, data, steps, allow_truncated, max_pixels):
        header, planes = read_planes(data, steps, allow_truncated, max_pixels)
        if header.model_id != self.runtime.model_id:
            maker = preset_of(header.model_id)
            remedy = f"load the preset {maker!r}" if maker else "load the model that made it"
            raise WrongModelError(
                f"the stream was made by model {header.model_id.hex()}, but this is "
                f"{self.runtime.model_id.hex()}; {remedy}"
            )
        if (header.stride, header.bits) != (self.runtime.stride, self.runtime.bits):
            raise WrongModelError(
                f"the stream has {header.bits} bits at stride {header.stride}, but the model has "
                f"{self.runtime.bits} at stride {self.runtime.stride}"
            )
        if len(planes) > self.max_steps:
            raise WrongModelError(
                f"the stream has {header.steps} steps, but the model only {self.max_steps}"
            )
        return header, planes


def _picture(reconstruction: np.ndarray, height: int, width: int) -> np.ndarray:
    return to_uint8(reconstruction[:height, :width])
