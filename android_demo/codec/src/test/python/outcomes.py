"""What Python makes of streams and images: the answers that Kotlin's are compared with.

Reads a line for each question from standard input and answers with a line.

    read MODEL STREAM ITERATIONS ALLOW       planes as Kotlin prints them, or the error's name
    encode FOLDER IMAGE BYTES HEADERLESS DOWNSCALE
                                            the stream in hexadecimal, or the error's name

MODEL is an entropy model's file in hexadecimal, ITERATIONS and BYTES are 0 where there is no limit,
DOWNSCALE is 1, 2 or auto.
"""

from __future__ import annotations

import functools
import sys

import tfrnnc
from tfrnnc import EncodeOptions
from tfrnnc.bitstream import (
    EntropyModel,
    ReadOptions,
    StreamSpec,
    as_plane,
    pack_plane,
    read_planes,
)
from tfrnnc.images import read_image


def read(model: str, stream: str, iterations: str, allow: str) -> str:
    """The planes of a stream made by a model of stride 8."""
    entropy_model = entropy_model_of(model)
    spec = StreamSpec(entropy_model.model_id, 8, entropy_model.bits, entropy_model=entropy_model)
    options = ReadOptions(int(iterations) or None, allow == "true")
    found = read_planes(bytes.fromhex(stream.removeprefix("x")), spec, options)
    planes = [pack_plane(p).hex() + "/" + pack_plane(as_plane(p != 0)).hex() for p in found.planes]
    return f"{found.whole_iterations} {found.ends} {' '.join(planes)}"


def encode(folder: str, image: str, max_bytes: str, headerless: str, downscale: str) -> str:
    """The stream of an image."""
    options = EncodeOptions(
        max_bytes=int(max_bytes) or None,
        headerless=headerless == "true",
        downscale={"1": 1, "2": 2, "auto": "auto"}[downscale],
    )
    return codec_of(folder).encode(read_image(image), options).hex()


entropy_model_of = functools.cache(lambda model: EntropyModel.from_bytes(bytes.fromhex(model)))
codec_of = functools.cache(lambda folder: tfrnnc.load(folder, threads=1))


def main() -> None:
    """Answers until there are no more questions."""
    for line in sys.stdin:
        question, *arguments = line.rstrip("\n").split("\t")
        try:
            answer = {"read": read, "encode": encode}[question](*arguments)
        except tfrnnc.TfrnncError as error:
            answer = type(error).__name__
        print(answer, flush=True)


if __name__ == "__main__":
    main()
