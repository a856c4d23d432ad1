"""One shard's worth of images to one file, on whatever engine."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from tfrnnc.codec import Codec, Encoded, EncodeOptions
from tfrnnc.errors import ImageError, ShardError, TfrnncError
from tfrnnc.images import as_rgb, read_image
from tfrnnc.metrics import psnr
from tfrnnc.pipelines.inputs import Content, Item
from tfrnnc.pipelines.shard import Shard
from tfrnnc.pipelines.shard_file import Row, ShardFile, ShardMetadata, to_parquet
from tfrnnc.pipelines.storage import is_file, read_bytes, remove, write_whole

#: Images are encoded together until they are as many, or have as many pixels.
BATCH_IMAGES, BATCH_PIXELS = 64, 1 << 22

_Result = TypeVar("_Result")
_Batch: TypeAlias = dict[str, np.ndarray | Exception]  # By key: pixels, or why there are none.

logger = logging.getLogger("tfrnnc")


@dataclass(frozen=True)
class ShardReport:
    """What was done for a shard.

    Attributes:
        path: of the shard.
        images: how many it holds.
        bytes: of their codes.
        failures: the images that could not be encoded, each with its "key" and "error".
        skipped: whether it was there already, so that nothing was done.
        psnr: of each image in decibels, infinite for a lossless one; empty if it was skipped.
    """

    path: str
    images: int
    bytes: int
    failures: list[dict[str, str]]
    skipped: bool = False
    psnr: tuple[float, ...] = ()


def encode_shard(
    shard: Shard,
    items: Iterable[Item],
    codec: Codec,
    options: EncodeOptions | None = None,
    overwrite: bool = False,
) -> ShardReport:
    """Encodes the images of a shard and writes its file, whole or not at all.

    The same images and options give the same file, in whatever order the images come. A shard
    that is there is not made again, so that after an interruption the same calls finish the work;
    two processes that make the same shard at once do no harm. Images that cannot be encoded are
    listed beside the shard, in `Shard.failed_path`, a JSON object with "key" and "error" in each
    line.

    Args:
        shard: which one.
        items: keys and images: the path or URI of an image file, the file's bytes, or pixels as
            for `Codec.encode`.
        codec: that encodes them.
        options: how to encode them; codes are headerless in any case, and at half the resolution
            only if `downscale` is 2.
        overwrite: make the shard again if it is there.

    Returns:
        what was done.

    Raises:
        ShardError: if there is a shard of other images, or encoded by another model, with other
            options or with another arithmetic, or the shard cannot be written.
        ModelError: if a file of the model is missing or broken.
        InstallationError: if PyArrow is not installed.

    Examples:
        >>> import tempfile, tfrnnc
        >>> from tfrnnc.pipelines import PackedImages, Shard, encode_shard
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     items = [("black", np.zeros((32, 32, 3), np.uint8)), ("broken", b"no image")]
        ...     options = tfrnnc.EncodeOptions(max_bytes=48)
        ...     report = encode_shard(Shard(folder, 0, 1), items, tfrnnc.load(), options)
        ...     report.images, len(report.failures), list(PackedImages(folder).keys())
        (1, 1, ['black'])
    """
    options = replace(options or EncodeOptions(), headerless=True)
    contents, failures = _by_key(items)
    metadata = _metadata(codec, options, [*contents, *(each["key"] for each in failures)])
    if not overwrite and (kept := _kept(shard, metadata)):
        return kept
    rows, qualities = [], []
    for batch in _batches(sorted(contents.items()), options):
        for key, result in _encode(batch, codec, options).items():
            if isinstance(result, Exception):
                failures.append({"key": key, "error": _explain(result)})
                result.__traceback__ = None  # It holds the pixels, and itself.
            else:
                rows.append(result[0])
                qualities.append(result[1])
    failures.sort(key=lambda each: each["key"])
    data = to_parquet(rows, replace(metadata, failures=len(failures)))
    _write(shard, data, failures)
    size = sum(len(row.code) for row in rows)
    return ShardReport(shard.path, len(rows), size, failures, psnr=tuple(qualities))


def _by_key(items: Iterable[Item]) -> tuple[dict[str, Content], list[dict[str, str]]]:
    """Images by their keys, and the keys that cannot be used; an image that comes twice is one."""
    contents: dict[str, Content] = {}
    reasons: dict[str, str] = {}
    for key, content in items:
        if not _is_utf8(key):
            reasons[key] = "the key is not UTF-8, as Parquet needs it; rename the file"
        elif key in contents and not _is_same(contents[key], content):
            reasons[key] = "several images have this key; give each its own"
        else:
            contents[key] = content
    for key in reasons:
        contents.pop(key, None)
    return contents, [{"key": key, "error": reason} for key, reason in reasons.items()]


def _is_utf8(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_same(one: Content, other: Content) -> bool:
    return one is other or (isinstance(one, str | bytes) and one == other)


def _metadata(codec: Codec, options: EncodeOptions, keys: Sequence[str]) -> ShardMetadata:
    """What the shard's images share, of which no failure is known yet."""
    header = codec.shared_header(
        1,
        1,
        entropy_coding=options.entropy_coding,
        adaptive=options.adaptive,
        downscale=2 if options.downscale == 2 else 1,
    ).hex()
    settings = asdict(options)
    if options.downscale != 2:
        del settings["downscale"]  # Shards of releases before it are those of these options.
    arithmetic = {"arithmetic": codec.runtime.arithmetic}
    # Shards that do not name theirs are found again as those of float32.
    compared = settings if codec.runtime.arithmetic == "float32" else settings | arithmetic
    described = json.dumps([header, compared, sorted(keys)])
    fingerprint = hashlib.sha256(described.encode()).hexdigest()
    return ShardMetadata(header, str(codec.identity), settings | arithmetic, fingerprint)


def _kept(shard: Shard, metadata: ShardMetadata) -> ShardReport | None:
    """What is there already of a shard; None if it has to be made.

    Raises:
        ShardError: if it is another one.
    """
    try:
        if not is_file(shard.path):
            return None
        existing = ShardFile(shard.path)
    except OSError as error:
        raise ShardError(
            f"{shard.path}: cannot be looked for ({error.strerror or error}); check the folder"
        ) from error
    except ShardError as error:
        logger.warning("%s; it is made again", error)
        return None
    if existing.metadata.arithmetic != metadata.arithmetic:
        raise ShardError(
            f"{shard.path}: is there already, encoded with the arithmetic "
            f"{existing.metadata.arithmetic}, not {metadata.arithmetic}; give the same arithmetic, "
            "another folder, or overwrite=True (--overwrite)"
        )
    if existing.metadata.fingerprint != metadata.fingerprint:
        raise ShardError(
            f"{shard.path}: is there already, of other images, or by another model or with other "
            "options; give another folder, or overwrite=True (--overwrite)"
        )
    failures = []
    if existing.metadata.failures:
        try:
            lines = read_bytes(shard.failed_path).decode().splitlines()
            failures = [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return None  # Which images failed is only known once they are tried again.
    return ShardReport(shard.path, len(existing), existing.code_bytes(), failures, skipped=True)


def _batches(items: Sequence[Item], options: EncodeOptions) -> Iterator[_Batch]:
    """Images as they are read; at most one goes beyond `BATCH_PIXELS`."""
    batch: _Batch = {}
    total = 0
    for item in items:
        pixels = _attempt(_read_pixels, item, options)
        batch[item[0]] = pixels
        if not isinstance(pixels, Exception):
            total += pixels[..., 0].size
        if len(batch) == BATCH_IMAGES or total >= BATCH_PIXELS:
            yield batch
            batch, total = {}, 0
    if batch:
        yield batch


def _encode(
    pixels: _Batch, codec: Codec, options: EncodeOptions
) -> dict[str, tuple[Row, float] | Exception]:
    """By key: the row of each image and its PSNR, or why there is none."""
    good = {key: each for key, each in pixels.items() if not isinstance(each, Exception)}
    encoded = encode_all(codec, list(good.values()), options)
    results: dict[str, tuple[Row, float] | Exception] = {}
    for (key, image), result in zip(good.items(), encoded, strict=True):
        if isinstance(result, Exception):
            results[key] = result
        else:
            height, width, _ = image.shape
            quality = psnr(image, result.picture)
            results[key] = Row(key, width, height, result.data), quality
    failed = {key: each for key, each in pixels.items() if isinstance(each, Exception)}
    return results | failed


def encode_all(
    codec: Codec, images: Sequence[np.ndarray], options: EncodeOptions
) -> list[Encoded | Exception]:
    """Encodes several images; where one fails, its error stands in its place.

    Raises:
        ModelError: if a file of the model is missing or broken.
    """
    try:
        return list(codec.encode_batch_with_pictures(images, options))
    except TfrnncError:
        raise
    except Exception:  # A fault, of one of them perhaps.
        return [_attempt(codec.encode_with_picture, image, options) for image in images]


def _attempt(function: Callable[..., _Result], *arguments: Any) -> _Result | Exception:
    """What a function returns, or the error that it raises, whatever that is."""
    try:
        return function(*arguments)
    except Exception as error:
        return error


def _read_pixels(item: Item, options: EncodeOptions) -> np.ndarray:
    key, content = item
    if isinstance(content, str):
        content = read_bytes(content)
        if not content:
            raise ImageError("there is nothing in the file; get it again")
    if isinstance(content, bytes | bytearray | memoryview):
        return read_image(io.BytesIO(content), options.background, key, options.max_pixels)
    return as_rgb(content, options.background, max_pixels=options.max_pixels)


def _explain(error: Exception) -> str:
    """What is wrong with an image, and what to do."""
    if isinstance(error, TfrnncError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the image does not fit in memory; make it smaller first"
    if isinstance(error, FileNotFoundError):
        return "no such file; check the path"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error}); check the file and its permissions"
    return f"{type(error).__name__}: {error}; this is a fault of tfrnnc, please report it"


def _write(shard: Shard, data: bytes, failures: Sequence[dict[str, str]]) -> None:
    """Writes what failed, and then the shard, so that whoever sees it sees both.

    Raises:
        ShardError: if they cannot be written.
    """
    try:
        if failures:
            lines = "".join(json.dumps(each) + "\n" for each in failures)
            write_whole(shard.failed_path, lines.encode())
        else:
            remove(shard.failed_path)
        write_whole(shard.path, data)
    except OSError as error:
        raise ShardError(
            f"{shard.path}: cannot be written ({error.strerror or error}); give another folder, "
            "or make room"
        ) from error
