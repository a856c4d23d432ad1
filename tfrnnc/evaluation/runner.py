"""All images by all codecs, in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tfrnnc.errors import DataError, EvaluationError, ImageError, TfrnncError
from tfrnnc.evaluation.codecs import CodecSpec, open_codec
from tfrnnc.evaluation.measurement import (
    EvaluationProtocol,
    Result,
    ResultStore,
    image_digest,
    measure,
    picture_at,
    result_key,
)
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics.ms_ssim import MIN_SIDE
from tfrnnc.processes import process_pool


@dataclass(frozen=True)
class EvaluatedImage:
    """An image to measure on.

    Attributes:
        path: of its file.
        name: the path below the folder of images, with slashes.
        width, height: in pixels.
        digest: of its pixels.
    """

    path: Path
    name: str
    width: int
    height: int
    digest: str


@dataclass(frozen=True)
class Task:
    """One image by one codec.

    Attributes:
        image: to encode.
        codec: that encodes it.
        protocol: how it is measured.
        picture_bytes: make a picture of this many bytes rather than measure.
    """

    image: EvaluatedImage
    codec: CodecSpec
    protocol: EvaluationProtocol
    picture_bytes: int | None = None

    def key(self) -> dict[str, Any]:
        """All that the result depends on."""
        codec = open_codec(self.codec)
        return result_key(codec, self.image.digest, self.protocol, self.picture_bytes)

    def run(self) -> Result:
        """The result, of `measure` or `picture_at`.

        Raises:
            ImageError, EvaluationError: naming the image's file.
        """
        pixels = read_image(self.image.path)
        codec = open_codec(self.codec)
        try:
            if self.picture_bytes is None:
                return measure(codec, pixels, self.protocol)
            return picture_at(codec, pixels, self.protocol, self.picture_bytes)
        except (TfrnncError, OSError, RuntimeError, ValueError) as error:
            # Pillow's and imagecodecs' encoders raise the latter three.
            raise EvaluationError(f"{self.image.path}: {codec.name}: {error}") from error


def read_images(folder: Path, protocol: EvaluationProtocol) -> list[EvaluatedImage]:
    """Looks at every image of a folder, so that a broken one is found before hours of work.

    Args:
        folder: searched with the folders below it.
        protocol: that they are for.

    Raises:
        DataError: if there is none, or no such folder.
        ImageError: if one cannot be read, or is too small for a metric; it names the file.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of images")
    images = []
    for path in find_images(folder):
        pixels = read_image(path)
        height, width, _ = pixels.shape
        if "msssim" in protocol.metrics and min(height, width) < MIN_SIDE:
            raise ImageError(
                f"{path}: {width}x{height} pixels are too few for MS-SSIM, which needs "
                f"{MIN_SIDE} in each direction; leave out msssim"
            )
        name = path.relative_to(folder).as_posix()
        images.append(EvaluatedImage(path, name, width, height, image_digest(pixels)))
    if not images:
        raise DataError(f"{folder} holds no images; give a folder of images")
    return images


NumberedResult: TypeAlias = tuple[int, Result]  #: of the task of this number

#: Wraps the results as they come. Takes what is done, the results, the number of all tasks, and of
#: those whose results were kept from before.
Progress = Callable[[str, Iterable[NumberedResult], int, int], Iterable[NumberedResult]]


def no_progress(
    what: str, results: Iterable[NumberedResult], total: int, kept: int
) -> Iterable[NumberedResult]:
    """Shows nothing."""
    return results


@dataclass(frozen=True)
class TaskRunner:
    """Does tasks, or takes the results that were kept of them.

    Attributes:
        store: asked before a task is done, and given its result after.
        jobs: how many processes; 1 stays in this one.
        progress: told of each result.
    """

    store: ResultStore
    jobs: int
    progress: Progress = no_progress

    def run(self, tasks: Sequence[Task], what: str) -> list[Result]:
        """Does all tasks.

        Args:
            tasks: to do.
            what: they are, for `progress`.

        Returns:
            the results, in the order of the tasks; they do not depend on `jobs`.

        Raises:
            EvaluationError, ImageError: of the first task that fails; the others are dropped.
            KeyboardInterrupt: what was done is kept.
        """
        keys = [task.key() for task in tasks]
        results = {index: kept for index, key in enumerate(keys) if (kept := self.store.get(key))}
        missing = [index for index in range(len(tasks)) if index not in results]
        with _results(tasks, missing, self.jobs) as coming:
            for index, result in self.progress(what, coming, len(tasks), len(results)):
                self.store.put(keys[index], result)
                results[index] = result
        return [results[index] for index in range(len(tasks))]


@contextmanager
def _results(
    tasks: Sequence[Task], missing: list[int], jobs: int
) -> Iterator[Iterable[NumberedResult]]:
    """Yields an iterator over numbers of tasks and their results, in any order."""
    if jobs == 1 or len(missing) < 2:
        yield ((index, tasks[index].run()) for index in missing)
        return
    try:
        with process_pool(min(jobs, len(missing))) as pool:
            futures = {pool.submit(tasks[index].run): index for index in missing}
            yield ((futures[future], future.result()) for future in as_completed(futures))
            pool.shutdown()
    except BrokenExecutor as error:
        raise EvaluationError(
            "a process ended while it measured, perhaps for want of memory; take fewer --jobs. "
            "What was measured is kept"
        ) from error
