"""The codec that users meet."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image

from tfrnnc.bitstream import EntropyModel, Header, Planes, read_header, read_planes
from tfrnnc.bitstream.container import MAX_PIXELS
from tfrnnc.codec import encoding
from tfrnnc.codec.adaptive import AdaptiveEncoder, encode_stopping
from tfrnnc.codec.encoding import Encoded, ResidualLoop, Target
from tfrnnc.codec.search import BitSearch
from tfrnnc.errors import ConfigError, ModelError, WrongModelError
from tfrnnc.images import as_rgb
from tfrnnc.metrics import block_ssim
from tfrnnc.metrics import psnr as measure_psnr
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model, identify, preset_of
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime
from tfrnnc.runtimes.runtime import Runtime

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

    Examples:
        >>> codec = load()
        >>> data = codec.encode(np.zeros((20, 30, 3), np.uint8), iterations=2)
        >>> codec.decode(data).shape
        (20, 30, 3)
    """
    folder = find_model(name_or_path)
    if runtime is None:
        runtime = "litert" if folder.is_exported else "keras"
    entropy_model = folder.read_entropy_model()
    if runtime == "keras":
        return Codec(KerasRuntime.load(folder), entropy_model)
    if runtime != "litert":
        raise ConfigError(f"there is no runtime {runtime!r}; there are 'litert' and 'keras'")
    codec = Codec(LiteRTRuntime(folder, threads), entropy_model)
    if folder.has_config and (trained := folder.read_config().model_id) != codec.runtime.model_id:
        raise ModelError(
            f"{folder}: its TFLite files are of {ModelIdentity(codec.runtime.model_id)}, but its "
            f"weights are {ModelIdentity(trained)}; export it again, or take the runtime 'keras'"
        )
    return codec


class Codec:
    """Compresses images to progressive streams and back.

    Streams are progressive: the first bytes of a stream decode to what they hold, and its first
    iterations to exactly what encoding with as many iterations would have given.

    Args:
        runtime: what runs the model's iterations, a `LiteRTRuntime` or a `KerasRuntime`.
        entropy_model: gives the probabilities of the model's bits; None for streams that are
            not entropy-coded.

    Attributes:
        runtime, entropy_model: the same.
        max_iterations: most iterations that the model can encode.

    Raises:
        ModelError: if the entropy model is of another model's bits.
    """

    def __init__(self, runtime: Runtime, entropy_model: EntropyModel | None = None):
        self.runtime = runtime
        self.entropy_model = entropy_model
        self.max_iterations = runtime.iterations
        if entropy_model is not None:
            found = (entropy_model.codec_id, entropy_model.bits, len(entropy_model.iterations))
            if found != (runtime.model_id, runtime.bits, runtime.iterations):
                raise ModelError(
                    f"the entropy model is of {ModelIdentity(entropy_model.codec_id)} with "
                    f"{found[1]} bits and {found[2]} iterations, but this is "
                    f"{ModelIdentity(runtime.model_id)} with {runtime.bits} and "
                    f"{runtime.iterations}; train its own (tfrnnc-train --entropy-model)"
                )

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is, as streams, messages and model cards name it."""
        model_id, model = self.runtime.model_id, self.entropy_model
        return ModelIdentity(model_id, model.stream_id if model else None, preset_of(model_id))

    def encode(
        self,
        image: Image.Image | np.ndarray,
        *,
        iterations: int | None = None,
        bpp: float | None = None,
        max_bytes: int | None = None,
        psnr: float | None = None,
        ssim: float | None = None,
        background: str | None = None,
        headerless: bool = False,
        entropy_coding: bool = True,
        effort: int = 0,
        adaptive: bool = False,
    ) -> bytes:
        """Compresses an image.

        The limits can be combined; the tightest counts. Without any, all iterations are encoded.

        Args:
            image: a Pillow image, or a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
            iterations: encode this many iterations.
            bpp: at most so many bits per pixel, all bytes counted.
            max_bytes: at most so many bytes, all counted. The last iteration is cut where the bytes
                end, if the picture gains from what is there of it.
            psnr: stop at the first iteration that reaches this PSNR in decibels; if none does, all
                iterations are encoded, and a warning is logged.
            ssim: the same for the paper's SSIM.
            background: colour behind a transparent image.
            headerless: leave out the header and the checksums, for stores that know the size of
                their images and check for themselves; `shared_header` makes it a stream again.
            entropy_coding: False leaves the entropy model out.
            effort: how many bits of each 8x8 pixels and iteration are tried the other way, and kept
                where the picture gains. Each takes up to twice 9 decodings of the iteration; 4 is a
                good deal of the gain.
            adaptive: give each location of the latent bits its own number of iterations (section
                3.7), so that the limits are kept with the best picture, or the targets reached with
                the fewest bits. Models whose locations are independent, `fc` and `fc_lstm`, encode
                once; without limits, each location takes what its picture gains from. Others
                encode up to seven times, and need `psnr`, `ssim`, `bpp` or `max_bytes`.

        Returns:
            the stream.

        Raises:
            ImageError: if the image is of a kind that cannot be encoded.
            ConfigError: if a limit is out of range, or too few bytes for a picture, or missing
                where `adaptive` needs one.
        """
        return self.encode_with_picture(
            image,
            iterations=iterations,
            bpp=bpp,
            max_bytes=max_bytes,
            psnr=psnr,
            ssim=ssim,
            background=background,
            headerless=headerless,
            entropy_coding=entropy_coding,
            effort=effort,
            adaptive=adaptive,
        ).data

    def encode_with_picture(
        self,
        image: Image.Image | np.ndarray,
        *,
        iterations: int | None = None,
        bpp: float | None = None,
        max_bytes: int | None = None,
        psnr: float | None = None,
        ssim: float | None = None,
        background: str | None = None,
        headerless: bool = False,
        entropy_coding: bool = True,
        effort: int = 0,
        adaptive: bool = False,
    ) -> Encoded:
        """As `encode`, and says more.

        Args, Raises: as for `encode`.

        Returns:
            the stream, what it decodes to, and the targets that are not reached.
        """
        pixels = as_rgb(image, background)
        height, width, _ = pixels.shape
        if iterations is not None and not 1 <= iterations <= self.max_iterations:
            raise ConfigError(
                f"iterations must be from 1 to {self.max_iterations} for this model, not "
                f"{iterations}"
            )
        if bpp is not None:
            if not bpp > 0:
                raise ConfigError(f"bpp must be above 0, not {bpp}")
            allowed = int(min(bpp * height * width / 8, 2**62))
            max_bytes = allowed if max_bytes is None else min(max_bytes, allowed)
        targets = [
            Target(name, measure, value)
            for name, measure, value in (
                ("PSNR", measure_psnr, psnr),
                ("SSIM", block_ssim, ssim),
            )
            if value is not None
        ]
        limited = max_bytes is not None or bool(targets)
        if adaptive and not (limited or self.runtime.independent):
            raise ConfigError(
                "where locations stop follows from a limit: with adaptive give psnr, ssim, bpp or "
                "max_bytes, too"
            )
        model = self.entropy_model if entropy_coding else None
        head = self._header(height, width, entropy_coding, headerless, adaptive)
        iterations = iterations or self.max_iterations
        make_search = partial(self._search, pixels, effort, entropy_coding)

        def attempt(stop_psnr: float = math.inf) -> Encoded:
            return encoding.encode(
                self.runtime,
                model,
                head,
                pixels,
                iterations=iterations,
                max_bytes=max_bytes,
                targets=targets,
                headerless=headerless,
                search=make_search(),
                stop_psnr=stop_psnr,
            )

        if adaptive and self.runtime.independent:
            encoder = AdaptiveEncoder(
                self.runtime,
                model,
                head,
                pixels,
                iterations,
                headerless=headerless,
                make_search=make_search,
            )
            encoded = encoder.encode(max_bytes, targets)
        elif adaptive:
            encoded = encode_stopping(attempt, pixels, targets)
        else:
            encoded = attempt()
        for target in encoded.missed:
            found = target.measure(pixels, encoded.picture)
            logger.warning(
                "no iteration reaches a %s of %g (%.4g)", target.name, target.value, found
            )
        return encoded

    def encode_iterations(
        self, pixels: np.ndarray, iterations: int | None = None, effort: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encodes iteration by iteration (section 3.1).

        Args:
            pixels: uint8 (H, W, 3).
            iterations: how many; None takes all.
            effort: as for `encode`.

        Yields:
            each iteration's bits, int8 (h, w, bits) of -1 and +1, and the picture after it, uint8
            (H, W, 3).
        """
        loop = ResidualLoop(self.runtime, pixels, search=self._search(pixels, effort))
        for _ in range(self.max_iterations if iterations is None else iterations):
            yield loop.iterate()

    def shared_header(
        self, width: int, height: int, *, entropy_coding: bool = True, adaptive: bool = False
    ) -> bytes:
        """The header that makes streams of what `encode` gives with `headerless=True`.

        Args:
            width: of the images in pixels.
            height: of the images in pixels.
            entropy_coding: as for `encode`.
            adaptive: as for `encode`.

        Returns:
            the header; in front of the code of any such image it makes a stream.

        Examples:
            >>> codec = load()
            >>> code = codec.encode(np.zeros((32, 32, 3), np.uint8), max_bytes=30, headerless=True)
            >>> codec.decode(codec.shared_header(32, 32) + code).shape
            (32, 32, 3)
            >>> len(code) <= 30
            True
        """
        return self._header(height, width, entropy_coding, True, adaptive).to_bytes()

    def decode(
        self,
        data: bytes,
        iterations: int | None = None,
        *,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """Decompresses a stream.

        Args:
            data: a stream.
            iterations: decode this many iterations only; None decodes all.
            allow_truncated: decode what is there of a stream that was cut, or is damaged from
                some place on.
            max_pixels: refuse images of more pixels.

        Returns:
            uint8 (H, W, 3).

        Raises:
            StreamError: one of its subclasses, if the stream cannot be decoded.
        """
        found = self.read_planes(data, iterations, allow_truncated, max_pixels)
        shape = found.header.height, found.header.width
        return encoding.decode(self.runtime, found.planes, shape, found.header.adaptive)

    def decode_progressive(
        self, data: bytes, *, allow_truncated: bool = False, max_pixels: int = MAX_PIXELS
    ) -> Iterator[np.ndarray]:
        """Decompresses a stream iteration by iteration.

        Args:
            data: a stream.
            allow_truncated: as for `decode`.
            max_pixels: as for `decode`.

        Yields:
            the picture after each iteration, uint8 (H, W, 3).

        Raises:
            StreamError: one of its subclasses, before the first picture, if the stream cannot
                be decoded.
        """
        found = self.read_planes(data, None, allow_truncated, max_pixels)
        shape = found.header.height, found.header.width
        yield from encoding.decode_iterations(
            self.runtime, found.planes, shape, found.header.adaptive
        )

    def read_planes(
        self,
        data: bytes,
        iterations: int | None = None,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> Planes:
        """The bits of a stream, which `decode` makes a picture of.

        Args:
            data: as for `decode`, like the others.
            iterations: how many at most.
            allow_truncated: whether the stream may be cut or damaged.
            max_pixels: refuse images of more pixels.

        Raises:
            StreamError: one of its subclasses, if the stream cannot be decoded.
        """
        header, _ = read_header(data)
        model = self.entropy_model if header.entropy_coded else None
        known = model.stream_id if model else self.runtime.model_id
        if header.model_id != known:
            maker = identify(header.model_id, header.entropy_coded)
            remedy = f"preset {maker.preset!r}" if maker.preset else "model that made it"
            raise WrongModelError(
                f"the stream was made by {maker}, but this is {self.identity}; load the {remedy}"
            )
        if (
            header.iterations if iterations is None else min(iterations, header.iterations)
        ) > self.max_iterations:
            raise WrongModelError(
                f"the stream has {header.iterations} iterations, but the model only "
                f"{self.max_iterations}"
            )
        return read_planes(
            data,
            self.runtime.stride,
            self.runtime.bits,
            model,
            iterations,
            allow_truncated,
            max_pixels,
        )

    def _search(
        self, pixels: np.ndarray, effort: int, entropy_coding: bool = True
    ) -> BitSearch | None:
        if effort < 0:
            raise ConfigError(f"effort must be at least 0, not {effort}")
        model = self.entropy_model if entropy_coding else None
        return BitSearch(pixels, self.runtime.stride, effort, model) if effort else None

    def _header(
        self, height: int, width: int, entropy_coding: bool, headerless: bool, adaptive: bool
    ) -> Header:
        model = self.entropy_model if entropy_coding else None
        return Header(
            model.stream_id if model else self.runtime.model_id,
            width,
            height,
            self.max_iterations,
            entropy_coded=model is not None,
            checked=not headerless,
            open_end=headerless,
            adaptive=adaptive,
        )
