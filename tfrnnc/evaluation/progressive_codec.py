"""tfrnnc's own codecs."""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfrnnc.arguments import require_int
from tfrnnc.codec import load
from tfrnnc.codec.effort import MAX_EFFORT, Tune, needs_keras
from tfrnnc.codec.encode_options import check_tune
from tfrnnc.errors import ConfigError
from tfrnnc.evaluation.evaluated_codec import Coded
from tfrnnc.model_folder.presets import find_model

#: Iterations, on average over photos of `native/val`, up to which half the resolution is better.
HALF_ITERATIONS = 3
#: Bits of the image as it is are better from this iteration on.
FIRST_WHOLE_ITERATION = 2
#: Bits per pixel up to which half the resolution is better for thumbnails.
HALF_BPP = 0.2


class ProgressiveCodec:
    """A preset or a trained model; an `EvaluatedCodec`.

    LiteRT has one thread, so that results and times do not depend on the machine's number of CPUs.
    Keras is imported only for folders without TFLite files, and for efforts that follow gradients.

    Args:
        name_or_path: of a preset or a model's folder, for `tfrnnc.load`.
        effort: that the codec encodes with.
        half: whether low rates are encoded at half the resolution, as the commands do; otherwise
            images are always encoded as they are.
        tune: what the effort looks for.
        arithmetic: as for `tfrnnc.load`.

    Raises:
        ConfigError: if there is no such effort or arithmetic, or they do not go together.
        ModelError: if there is no such model, or its files are broken.
        InstallationError: if what runs it is not installed.
    """

    version = 1

    def __init__(
        self,
        name_or_path: str,
        effort: int = 0,
        half: bool = False,
        tune: Tune = "psnr",
        arithmetic: str = "float32",
    ):
        self._effort = require_int("effort", effort, 0, MAX_EFFORT)
        check_tune(tune, self._effort)
        self._half, self._tune = half, tune
        self._folder = find_model(name_or_path)
        self.name = self._folder.preset or self._folder.path.resolve().name
        if self._effort:
            self.name += f"@{self._effort}"
        if half:
            self.name += "@half"
        if tune != "psnr":
            self.name += f"@{tune}"
        self._arithmetic = arithmetic
        if arithmetic != "float32":
            self.name += f"@{arithmetic}"
        self._codec = self._encoder = load(name_or_path, threads=1, arithmetic=arithmetic)
        if needs_keras(effort):
            if arithmetic == "int8":
                raise ConfigError(
                    f"{self.name}: this effort needs Keras, which computes in float32; give a "
                    "smaller effort, or leave out @int8"
                )
            self._encoder = load(name_or_path, runtime="keras")

    def settings(self) -> dict[str, Any]:
        """What runs the model, its identity and files, and the effort, as JSON takes them."""
        runtime = self._folder.default_runtime(self._arithmetic)
        package = "ai-edge-litert" if runtime == "litert" else "keras"
        folders = dict.fromkeys([self._folder.path, self._folder.exported_path(self._arithmetic)])
        model = self._codec.entropy_model
        return {
            "library": f"{package} {importlib.metadata.version(package)}",
            "model_id": self._codec.runtime.model_id.hex(),
            "entropy_coded": model is not None,
            "entropy_coded_id": model.entropy_coded_id.hex() if model else None,
            "files": _digest(folders),
            "effort": self._effort,
            **({"half": True} if self._half else {}),
            **({"tune": self._tune} if self._tune != "psnr" else {}),
            **({"arithmetic": "int8"} if self._arithmetic == "int8" else {}),
        }

    def sweep(self, pixels: np.ndarray) -> list[Coded]:
        """Each whole iteration of one stream, which is encoded and decoded once.

        With `half`, the first iterations of a stream at half the resolution, and then those of a
        stream of the image as it is which take more bits.

        An iteration's time to encode is that of the whole stream, and its time to decode that of
        decoding up to it.
        """
        if not self._half:
            return self._iterations(pixels, 1)
        reduced = self._iterations(pixels, 2)[:HALF_ITERATIONS]
        named = [each._replace(setting=f"{each.setting} at half") for each in reduced]
        return named + self._iterations(pixels, 1)[FIRST_WHOLE_ITERATION - 1 :]

    def _iterations(self, pixels: np.ndarray, downscale: Literal[1, 2]) -> list[Coded]:
        """Each whole iteration of one stream."""
        start = time.perf_counter()
        data = self._encoder.encode(
            pixels, effort=self._effort, tune=self._tune, downscale=downscale
        )
        encoding = time.perf_counter() - start
        start = time.perf_counter()
        ends = self._codec.read_planes(data).ends
        coded = []
        for iteration, picture in enumerate(self._codec.decode_progressive(data), start=1):
            decoding = time.perf_counter() - start
            coded.append(
                Coded(f"iteration {iteration}", ends[iteration - 1], picture, encoding, decoding)
            )
        return coded

    def at_sizes(self, pixels: np.ndarray, targets: Sequence[int]) -> list[Coded]:
        """The payload without header of at most each target's bytes, of one encoding.

        With `half`, targets of at most `HALF_BPP` are encoded at half the resolution, as a shard
        of such images is.

        The time to encode each is that of the encoding up to it.
        """
        height, width, _ = pixels.shape
        limit = HALF_BPP * height * width / 8 if self._half else 0
        reduced = [target for target in targets if target <= limit]
        others = [target for target in targets if target > limit]
        coded = dict(zip(reduced, self._payloads(pixels, reduced, 2), strict=True))
        coded |= zip(others, self._payloads(pixels, others, 1), strict=True)
        return [coded[target] for target in targets]

    def _payloads(
        self, pixels: np.ndarray, targets: Sequence[int], downscale: Literal[1, 2]
    ) -> Iterator[Coded]:
        """The payload of at most each target's bytes, of one encoding."""
        if not targets:
            return
        start = time.perf_counter()
        encoder = self._encoder.encoder(
            pixels,
            headerless=True,
            effort=self._effort,
            tune=self._tune,
            downscale=downscale,
        )
        height, width, _ = pixels.shape
        header = self._codec.shared_header(width, height, downscale=downscale)
        encoding = time.perf_counter() - start
        for target in targets:
            start = time.perf_counter()
            data = encoder.fit(max_bytes=target).data
            encoding += time.perf_counter() - start
            yield self._decoded(target, data, header, encoding)

    def within(self, pixels: np.ndarray, max_bytes: int) -> Coded:
        """A file of at most a number of bytes; the last iteration is cut where they end.

        Raises:
            ConfigError: if the bytes are too few for any picture.
        """
        start = time.perf_counter()
        data = self._encoder.encode(
            pixels,
            max_bytes=max_bytes,
            effort=self._effort,
            tune=self._tune,
            downscale="auto" if self._half else 1,
        )
        return self._decoded(max_bytes, data, b"", time.perf_counter() - start)

    def _decoded(self, max_bytes: int, data: bytes, header: bytes, encoding: float) -> Coded:
        start = time.perf_counter()
        picture = self._codec.decode(header + data)
        decoding = time.perf_counter() - start
        return Coded(f"{max_bytes} bytes", len(data), picture, encoding, decoding)


def _digest(folders: Iterable[Path]) -> str:
    """Of the files that a model is made of."""
    digest = hashlib.sha256()
    for path in itertools.chain.from_iterable(sorted(folder.iterdir()) for folder in folders):
        if path.suffix in (".bin", ".h5", ".json", ".tflite"):
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
