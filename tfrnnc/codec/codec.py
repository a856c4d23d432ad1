"""The codec that users meet."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np
from PIL import Image

from tfrnnc.arguments import require_bool, require_int
from tfrnnc.bitstream import (
    EntropyModel,
    Header,
    Planes,
    ReadOptions,
    StreamSpec,
    WorkLimits,
    read_header,
    read_planes,
    read_planes_of_batch,
)
from tfrnnc.bitstream.constants import MAX_PIXELS, MAX_WORK
from tfrnnc.bitstream.shortening import shorten
from tfrnnc.codec.adaptive import AdaptiveEncoder, StoppingEncoder
from tfrnnc.codec.batches import run_in_batches
from tfrnnc.codec.calls import Calls, ItemError, Worker, run_together
from tfrnnc.codec.choosing_encoder import ChoosingEncoder
from tfrnnc.codec.downscaling import as_shown, rows_as_shown
from tfrnnc.codec.effort import MAX_EFFORT, Tune, refinement
from tfrnnc.codec.encode_options import AUTO, EncodeOptions, check_tune, settled_options
from tfrnnc.codec.progressive_encoder import Encoded, ImageEncoder, ProgressiveEncoder
from tfrnnc.codec.reconstruction import decode, decode_iterations, decode_rows, decoding
from tfrnnc.codec.strip_encoder import StripEncoder
from tfrnnc.codec.strips import takes_strips
from tfrnnc.errors import ConfigError, ModelError, TruncatedStreamError, WrongModelError
from tfrnnc.image_rows import ImageRows
from tfrnnc.images import as_rgb, require_size
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model, identify, preset_of
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime
from tfrnnc.runtimes.residual_loop import ResidualLoop
from tfrnnc.runtimes.runtime import Runtime

if TYPE_CHECKING:
    from typing_extensions import Unpack

from tfrnnc.codec.encode_options import EncodeKeywords

logger = logging.getLogger("tfrnnc")


def load(
    name_or_path: str | os.PathLike[str] = DEFAULT_PRESET,
    *,
    runtime: str | None = None,
    threads: int | None = None,
    arithmetic: str = "float32",
) -> Codec:
    """Loads a codec.

    Args:
        name_or_path: a preset's name (`tfrnnc.list_presets()`), the folder of a model that
            `tfrnnc-train` or `tfrnnc-export` wrote, or `hf://OWNER/NAME`, with `@REVISION` if one
            is wanted, for a model on the Hugging Face Hub.
        runtime: "litert" runs the folder's TFLite files, "keras" its weights in Keras. None
            takes LiteRT if the folder has TFLite files, else Keras.
        threads: that LiteRT uses; None takes one for each CPU.
        arithmetic: "int8" runs the TFLite files in the folder's `int8/`, which compute in 8 bits.
            The default preset has them. They are two to three times as fast, at a slightly lower
            quality, and either decodes what the other encoded. Now and then another CPU encodes
            other bits, which are as good. "float32" runs the folder's own files.

    Returns:
        a codec, ready to encode and decode.

    Raises:
        ModelError: if there is no such model, it has no files with this arithmetic, or its files
            are broken or do not belong together.
        InstallationError: if Keras or the hub's client is needed and not installed.
        ConfigError: if the runtime or the arithmetic is not one of the two, or they do not go
            together: Keras computes in float32; or if the model is named by neither a string nor
            a path.

    Examples:
        >>> codec = load()
        >>> data = codec.encode(np.zeros((20, 30, 3), np.uint8), iterations=2)
        >>> codec.decode(data).shape
        (20, 30, 3)
    """
    folder = find_model(name_or_path)
    exported = folder.exported_path(arithmetic)
    if runtime is None:
        runtime = folder.default_runtime(arithmetic)
    entropy_model = folder.read_entropy_model()
    if runtime == "keras":
        if arithmetic == "int8":
            raise ConfigError(
                "Keras computes in float32; for the arithmetic 'int8' take the runtime 'litert'"
            )
        return _codec(KerasRuntime.load(folder), entropy_model, folder)
    if runtime != "litert":
        raise ConfigError(f"there is no runtime {runtime!r}; there are 'litert' and 'keras'")
    codec = _codec(LiteRTRuntime(folder, threads, arithmetic), entropy_model, folder)
    if folder.has_config and (trained := folder.read_config().model_id) != codec.runtime.model_id:
        otherwise = "" if arithmetic == "int8" else ", or take the runtime 'keras'"
        raise ModelError(
            f"{exported}: its TFLite files are of {ModelIdentity(codec.runtime.model_id)}, but the "
            f"weights are {ModelIdentity(trained)}; export it again{otherwise}"
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
        spec: what streams need of the model.
        max_iterations: most iterations that the model can encode.

    Raises:
        ModelError: if the entropy model is of another model's bits.
    """

    def __init__(self, runtime: Runtime, entropy_model: EntropyModel | None = None):
        self.runtime = runtime
        self.entropy_model = entropy_model
        self.max_iterations = runtime.iterations
        self.spec = spec_of(runtime, entropy_model)

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is, as streams, messages and model cards name it."""
        model_id, model = self.runtime.model_id, self.entropy_model
        return ModelIdentity(
            model_id, model.entropy_coded_id if model else None, preset_of(model_id)
        )

    def encode(
        self,
        image: Image.Image | np.ndarray | ImageRows,
        options: EncodeOptions | None = None,
        **keywords: Unpack[EncodeKeywords],
    ) -> bytes:
        """Compresses an image.

        Without limits, all iterations are encoded. If none reaches the quality that is asked for,
        all are, and a warning is logged.

        Args:
            image: a Pillow image; a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); or a
                large file row by row, from `tfrnnc.image_rows.open_rows`.
            options: how to encode it, and within which limits.
            **keywords: fields of `EncodeOptions`, in place of those of `options`.

        Returns:
            the stream.

        Raises:
            ImageError: if the image is of a kind that cannot be encoded.
            TooLargeError: if it has too many pixels, or takes too much work.
            ConfigError: if an option is out of range, or too few bytes for a picture, or missing
                where `adaptive` needs one.

        Examples:
            >>> codec = load()
            >>> image = np.zeros((32, 32, 3), np.uint8)
            >>> len(codec.encode(image, max_bytes=64)) <= 64
            True
            >>> options = EncodeOptions(iterations=2)
            >>> codec.encode(image, options) == codec.encode(image, iterations=2)
            True
        """
        return _data_of(self.encode_with_picture(image, options, **keywords))

    def encode_with_picture(
        self,
        image: Image.Image | np.ndarray | ImageRows,
        options: EncodeOptions | None = None,
        **keywords: Unpack[EncodeKeywords],
    ) -> Encoded:
        """Compresses an image, and says what comes of it.

        Args:
            image: as for `encode`, like the others.
            options: how to encode it, and within which limits.
            **keywords: fields of `EncodeOptions`, in place of those of `options`.

        Returns:
            the stream, what it decodes to, and the targets that are not reached.

        Raises:
            ImageError, TooLargeError, ConfigError: as for `encode`.
        """
        options = settled_options(options, keywords)
        # Not copied, as it is needed until the end of this call only.
        return self._encoder(_pixels_of(image, options, copy=False), options).fit()

    def encode_batch(
        self,
        images: Iterable[Image.Image | np.ndarray | ImageRows],
        options: EncodeOptions | None = None,
        **keywords: Unpack[EncodeKeywords],
    ) -> list[bytes | ItemError]:
        """Compresses many images, in less time than one by one and to the same streams.

        Args:
            images: each as for `encode`, of any sizes.
            options: how to encode them, and within which limits; these hold for each image.
            **keywords: fields of `EncodeOptions`, in place of those of `options`.

        Returns:
            for each image, in order, its stream, or the error that `encode` raises for it.

        Raises:
            ConfigError: if an option is out of range.
            ModelError: if a file of the model is missing or broken.

        Examples:
            >>> codec = load()
            >>> image = np.zeros((32, 32, 3), np.uint8)
            >>> good, bad = codec.encode_batch([image, image.astype(float)], max_bytes=64)
            >>> good == codec.encode(image, max_bytes=64), type(bad).__name__
            (True, 'ImageError')
        """
        encoded = self.encode_batch_with_pictures(images, options, **keywords)
        return [_data_of(each) if isinstance(each, Encoded) else each for each in encoded]

    def encode_batch_with_pictures(
        self,
        images: Iterable[Image.Image | np.ndarray | ImageRows],
        options: EncodeOptions | None = None,
        **keywords: Unpack[EncodeKeywords],
    ) -> list[Encoded | ItemError]:
        """Compresses many images, and says what comes of each.

        Args:
            images: as for `encode_batch`, like the others.
            options: how to encode them, and within which limits.
            **keywords: fields of `EncodeOptions`, in place of those of `options`.

        Returns:
            for each image, in order, what `encode_with_picture` gives for it, or the error that it
            raises.

        Raises:
            ConfigError, ModelError: as for `encode_batch`.
        """
        options = settled_options(options, keywords)
        worker = self._worker
        return run_in_batches(
            images,
            lambda image: self.encoder(image, options),
            lambda encoders: run_together(worker, [each.fitting() for each in encoders]),
        )

    def encoder(
        self,
        image: Image.Image | np.ndarray | ImageRows,
        options: EncodeOptions | None = None,
        **keywords: Unpack[EncodeKeywords],
    ) -> ImageEncoder:
        """What encodes an image once, for streams of any size.

        Args:
            image: as for `encode`, like the others.
            options: how to encode it; their limits hold where `fit` is given none.
            **keywords: fields of `EncodeOptions`, in place of those of `options`.

        Raises:
            ImageError: if the image is of a kind that cannot be encoded.
            TooLargeError: if it has too many pixels.
            ConfigError: if an option is out of range.

        Examples:
            >>> encoder = load().encoder(np.zeros((32, 32, 3), np.uint8))
            >>> encoder.fit(iterations=2).iterations, len(encoder.fit(max_bytes=40).data) <= 40
            (2, True)
        """
        options = settled_options(options, keywords)
        return self._encoder(_pixels_of(image, options), options)

    def _encoder(self, pixels: np.ndarray, options: EncodeOptions) -> ImageEncoder:
        """What encodes pixels, uint8 (H, W, 3), once."""
        if options.downscale == AUTO:
            return ChoosingEncoder(
                lambda downscale: self._encoder_at(pixels, options, downscale), pixels, options
            )
        return self._encoder_at(pixels, options, options.downscale)

    def _encoder_at(
        self, pixels: np.ndarray, options: EncodeOptions, downscale: Literal[1, 2]
    ) -> ProgressiveEncoder:
        options = replace(options, downscale=downscale)
        spec = self.spec if options.entropy_coding else self.spec.without_entropy_model()
        kind = ProgressiveEncoder
        height, width = (-(-side // downscale) for side in pixels.shape[:2])
        if takes_strips(self.runtime, (height, width)) and not options.effort:
            kind = StripEncoder
        if options.adaptive:
            kind = AdaptiveEncoder if self.runtime.independent else StoppingEncoder
        if kind is not StripEncoder or downscale != 1:
            pixels = np.asarray(pixels)
        return kind(self.runtime, spec, pixels, options)

    def shorten(
        self,
        data: bytes,
        max_bytes: int,
        *,
        max_pixels: int = MAX_PIXELS,
        max_work: int = MAX_WORK,
    ) -> bytes:
        """Cuts a stream, without the picture, and closes it.

        Args:
            data: a stream of this model, whole or cut.
            max_bytes: most bytes of the result.
            max_pixels: as for `decode`.
            max_work: as for `decode`.

        Returns:
            a stream with an open end, or the stream itself if it is whole and short enough.

        Raises:
            StreamError: one of its subclasses, if the stream cannot be decoded.
            ConfigError: if the bytes are too few for a picture.

        Examples:
            >>> codec = load()
            >>> data = codec.encode(np.zeros((64, 64, 3), np.uint8))
            >>> codec.decode(codec.shorten(data, 50)).shape
            (64, 64, 3)
        """
        require_int("max_bytes", max_bytes, 1)
        data = as_bytes(data)
        if self._is_whole(data, max_pixels, max_work) and len(data) <= max_bytes:
            return data
        shortened = shorten(data, self.spec, max_bytes)
        if shortened is None or not self._is_whole(shortened, max_pixels, max_work):
            raise ConfigError(
                f"{max_bytes} bytes are too few for a picture of this stream: it needs the header "
                "and about an eighth of the first iteration"
            )
        return shortened

    def encode_iterations(
        self,
        pixels: np.ndarray,
        iterations: int | None = None,
        effort: int = 0,
        tune: Tune = "psnr",
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encodes iteration by iteration (section 3.1).

        Args:
            pixels: uint8 (H, W, 3).
            iterations: how many; None takes all.
            effort: as for `encode`.
            tune: as for `encode`.

        Yields:
            each iteration's bits, int8 (h, w, bits) of -1 and +1, and the picture after it, uint8
            (H, W, 3).
        """
        effort = require_int("effort", effort, 0, MAX_EFFORT)
        check_tune(tune, effort)
        refine = refinement(effort, tune, self.runtime, pixels, self.entropy_model)
        loop = ResidualLoop(self.runtime, pixels, refine)
        yield from loop.run(self.max_iterations if iterations is None else iterations)

    def shared_header(
        self,
        width: int,
        height: int,
        *,
        entropy_coding: bool = True,
        adaptive: bool = False,
        downscale: Literal[1, 2] = 1,
    ) -> bytes:
        """The header that makes streams of what `encode` gives with `headerless=True`.

        Args:
            width: of the images in pixels.
            height: of the images in pixels.
            entropy_coding: as for `encode`.
            adaptive: as for `encode`.
            downscale: as for `encode`, where "auto" is 1 with `headerless=True`.

        Returns:
            the header; in front of the payload of any such image it makes a stream.

        Examples:
            >>> codec = load()
            >>> image = np.zeros((32, 32, 3), np.uint8)
            >>> payload = codec.encode(image, max_bytes=30, headerless=True)
            >>> codec.decode(codec.shared_header(32, 32) + payload).shape
            (32, 32, 3)
            >>> len(payload) <= 30
            True
        """
        spec = self.spec if entropy_coding else self.spec.without_entropy_model()
        header = spec.header(width, height, headerless=True, adaptive=adaptive, downscale=downscale)
        return header.to_bytes()

    def decode(
        self,
        data: bytes,
        iterations: int | None = None,
        *,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
        max_work: int = MAX_WORK,
    ) -> np.ndarray:
        """Decompresses a stream.

        Args:
            data: a stream.
            iterations: decode at most this many iterations; None decodes all.
            allow_truncated: decode whatever has arrived of a stream that was cut, or what is before
                the damage of one that is damaged.
            max_pixels: refuse larger pictures, padded to the model's stride.
            max_work: refuse more pixels that are coded, padded, times iterations.

        Returns:
            uint8 (H, W, 3).

        Raises:
            StreamError: one of its subclasses, if the stream cannot be decoded.
        """
        stream = self.read_planes(
            data, iterations, allow_truncated, max_pixels=max_pixels, max_work=max_work
        )
        header = stream.header
        picture = decode(self.runtime, stream.planes, header.coded_size, header.adaptive)
        return as_shown(picture, header)

    def decode_rows(
        self,
        data: bytes,
        iterations: int | None = None,
        *,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
        max_work: int = MAX_WORK,
    ) -> Iterator[np.ndarray]:
        """Decompresses a large stream to rows, so that the whole picture is never in memory.

        Args:
            data: a stream.
            iterations: as for `decode`, like the others.
            allow_truncated: decode whatever has arrived.
            max_pixels: refuse larger pictures.
            max_work: refuse more work.

        Returns:
            rows of what `decode` gives, uint8 (n, W, 3), from the top down, as they are done; those
            of images that are not computed in strips all at once.

        Raises:
            StreamError: one of its subclasses, at once, if the stream cannot be decoded.

        Examples:
            >>> codec = load()
            >>> data = codec.encode(np.zeros((20, 30, 3), np.uint8), iterations=1)
            >>> sum(len(rows) for rows in codec.decode_rows(data))
            20
        """
        stream = self.read_planes(
            data, iterations, allow_truncated, max_pixels=max_pixels, max_work=max_work
        )
        header = stream.header
        shape = header.coded_size
        if takes_strips(self.runtime, shape) and header.downscale == 1:
            return decode_rows(self.runtime, stream.planes, shape, header.adaptive)
        return rows_as_shown(decode(self.runtime, stream.planes, shape, header.adaptive), header)

    def decode_batch(
        self,
        streams: Iterable[bytes],
        iterations: int | None = None,
        *,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
        max_work: int = MAX_WORK,
    ) -> list[np.ndarray | ItemError]:
        """Decompresses many streams, in less time than one by one and to the same pictures.

        Args:
            streams: of this model, of images of any sizes.
            iterations: as for `decode`.
            allow_truncated: as for `decode`.
            max_pixels: as for `decode`, of each image.
            max_work: as for `decode`, of each image.

        Returns:
            for each stream, in order, its picture, uint8 (H, W, 3), or the error that `decode`
            raises for it.

        Raises:
            ConfigError: if an option is out of range.
            ModelError: if a file of the model is missing or broken.

        Examples:
            >>> codec = load()
            >>> data = codec.encode(np.zeros((32, 32, 3), np.uint8), max_bytes=64)
            >>> good, bad = codec.decode_batch([data, data[:20]])
            >>> good.shape, type(bad).__name__
            ((32, 32, 3), 'TruncatedStreamError')
        """
        limits = WorkLimits(max_pixels, max_work)
        options = ReadOptions(iterations, require_bool("allow_truncated", allow_truncated), limits)
        return run_in_batches(
            streams, self._own_stream, lambda batch: self._decode_together(batch, options)
        )

    def decode_progressive(
        self,
        data: bytes,
        *,
        allow_truncated: bool = False,
        max_pixels: int = MAX_PIXELS,
        max_work: int = MAX_WORK,
    ) -> Iterator[np.ndarray]:
        """Decompresses a stream iteration by iteration.

        Args:
            data: a stream.
            allow_truncated: as for `decode`.
            max_pixels: as for `decode`.
            max_work: as for `decode`.

        Yields:
            the picture after each iteration, uint8 (H, W, 3).

        Raises:
            StreamError: one of its subclasses, before the first picture, if the stream cannot
                be decoded.
        """
        stream = self.read_planes(
            data, None, allow_truncated, max_pixels=max_pixels, max_work=max_work
        )
        header = stream.header
        for picture in decode_iterations(
            self.runtime, stream.planes, header.coded_size, header.adaptive
        ):
            yield as_shown(picture, header)

    def read_planes(
        self,
        data: bytes,
        iterations: int | None = None,
        allow_truncated: bool = False,
        *,
        max_pixels: int = MAX_PIXELS,
        max_work: int = MAX_WORK,
    ) -> Planes:
        """The bits of a stream, which `decode` makes a picture of.

        Args:
            data: as for `decode`, like the others.
            iterations: how many at most.
            allow_truncated: whether the stream may be cut or damaged.
            max_pixels: as for `decode`.
            max_work: as for `decode`.

        Raises:
            StreamError: one of its subclasses, if the stream cannot be decoded.
        """
        limits = WorkLimits(max_pixels, max_work)
        options = ReadOptions(iterations, require_bool("allow_truncated", allow_truncated), limits)
        data = as_bytes(data)
        self._require_own(read_header(data)[0])
        return read_planes(data, self.spec, options)

    def _own_stream(self, data: bytes) -> _Stream:
        """A stream of this model."""
        data = as_bytes(data)
        header, _ = read_header(data)
        self._require_own(header)
        height, width, _ = header.plane_shape(self.spec.stride, self.spec.bits)
        return _Stream(data, (height * self.spec.stride, width * self.spec.stride))

    def _decode_together(
        self, streams: Sequence[_Stream], options: ReadOptions
    ) -> list[np.ndarray | ItemError]:
        """The pictures of streams of images of one padded size, or what keeps them from it."""
        read = read_planes_of_batch([stream.data for stream in streams], self.spec, options)
        decodings = [self._decoding(planes) for planes in read if isinstance(planes, Planes)]
        pictures = iter(run_together(self._worker, decodings))
        return [next(pictures) if isinstance(each, Planes) else each for each in read]

    def _decoding(self, planes: Planes) -> Calls[np.ndarray]:
        header = planes.header
        picture = yield from decoding(
            self.runtime, planes.planes, header.coded_size, header.adaptive
        )
        return as_shown(picture, header)

    @property
    def _worker(self) -> Worker:
        return Worker(self.runtime, self.entropy_model)

    def _require_own(self, header: Header) -> None:
        """Refuses streams of other models."""
        spec = self.spec if header.entropy_coded else self.spec.without_entropy_model()
        if header.model_id != spec.stream_id:
            maker = identify(header.model_id, header.entropy_coded)
            remedy = f"preset {maker.preset!r}" if maker.preset else "model that made it"
            raise WrongModelError(
                f"the stream was made by {maker}, but this is {self.identity}; load the {remedy}"
            )

    def _is_whole(self, data: bytes, max_pixels: int, max_work: int) -> bool:
        try:
            self.read_planes(data, max_pixels=max_pixels, max_work=max_work)
        except TruncatedStreamError:
            return False
        return True


class _Stream(NamedTuple):
    """A stream, and the coded size of its image, padded to the model's stride."""

    data: bytes
    padded_size: tuple[int, int]


def spec_of(runtime: Runtime, entropy_model: EntropyModel | None) -> StreamSpec:
    """What streams need of a model.

    Args:
        runtime: of the model.
        entropy_model: of its bits; None for streams that are not entropy-coded.

    Raises:
        ModelError: if the entropy model is of another model's bits.
    """
    spec = StreamSpec(
        runtime.model_id, runtime.stride, runtime.bits, runtime.iterations, entropy_model
    )
    if entropy_model is None:
        return spec
    given = (entropy_model.model_id, entropy_model.bits, len(entropy_model.iterations))
    if given != (spec.model_id, spec.bits, spec.iterations):
        raise ModelError(
            f"the entropy model is of {ModelIdentity(entropy_model.model_id)} with {given[1]} bits "
            f"and {given[2]} iterations, but this is {ModelIdentity(spec.model_id)} with "
            f"{spec.bits} and {spec.iterations}; train its own (tfrnnc-train entropy-model)"
        )
    return spec


def _pixels_of(
    image: Image.Image | np.ndarray | ImageRows, options: EncodeOptions, copy: bool = True
) -> np.ndarray:
    """The pixels of an image, uint8 (H, W, 3).

    `ImageRows` stand for an array of which nothing but rows is taken. What needs more than that
    makes an array of them.
    """
    if isinstance(image, ImageRows):
        require_size(image.shape[1], image.shape[0], options.max_pixels)
        return cast(np.ndarray, image)
    return as_rgb(image, options.background, copy, options.max_pixels)


def _codec(runtime: Runtime, entropy_model: EntropyModel | None, folder: ModelFolder) -> Codec:
    """The codec of a folder. Raises ModelError as `Codec` does, with the file's name."""
    try:
        return Codec(runtime, entropy_model)
    except ModelError as error:
        raise ModelError(f"{folder.entropy_model_path}: {error}") from error


def _data_of(encoded: Encoded) -> bytes:
    """The stream of an encoded image; logs the targets that it misses."""
    for target in encoded.missed:
        logger.warning("no iteration reaches a %s of %g", target.name, target.value)
    return encoded.data


def as_bytes(data: bytes) -> bytes:
    """A stream as bytes, from any buffer of them.

    Raises:
        ConfigError: if it is something else.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    raise ConfigError(
        f"a stream must be bytes, not {type(data).__name__}; read the file first, as in "
        "Path(file).read_bytes()"
    )
