"""`tfrnnc-info`."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import click
import numpy as np

from tfrnnc.bitstream import Planes, read_header
from tfrnnc.bitstream.bit_planes import coded_locations
from tfrnnc.bitstream.constants import CERTAIN, STORED
from tfrnnc.bitstream.plane_coder import checksum_bytes
from tfrnnc.cli.common import JSON_HELP, Report, command, read_input
from tfrnnc.cli.file_tasks import Fact, display, failure
from tfrnnc.cli.options import FileName, ModelName
from tfrnnc.codec import Codec
from tfrnnc.codec.select import CodecSelector
from tfrnnc.errors import (
    CorruptStreamError,
    InstallationError,
    ModelError,
    StreamError,
    TooLargeError,
    TruncatedStreamError,
    WrongModelError,
)
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.presets import identify

REASONS = {
    "unknown": "the model is not known",
    "not installed": "the package tfrnnc-presets, which has the model, is not installed",
    "too large": "the image has too many pixels",
}  #: why a stream of a state was not looked into

# What the range coder takes at most for a bit of even chance, and for one of a mask, whose
# probability learns. In bits.
_MOST_FOR_BIT, _MOST_FOR_MASK_BIT = 1.006, 1.03


@command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=FileName())
@click.option(
    "--model",
    type=ModelName(),
    help="The folder of the model, or hf://OWNER/NAME, for files that none of the presets made.",
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def main(paths: tuple[str, ...], model: str | None, as_json: bool) -> None:
    """Describe .rnnc files, without decoding their pictures.

    FILE may be - for standard input. If the model is known, this also shows where the iterations
    end and how much of a cut file is missing.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    select = CodecSelector(model)  # Fails now rather than once for each input.
    Report(as_json).tell(_each(paths, select), describe, len(paths))


def _each(paths: Sequence[str], select: CodecSelector) -> Generator[Fact, None, None]:
    """What is told of each file, or that it failed."""
    for path in paths:
        try:
            yield report(select, path, read_input(path))
        except (BrokenPipeError, click.ClickException):
            raise
        except Exception as error:
            if isinstance(error, ModelError) and select.model is not None:
                raise  # It is nothing of this file.
            yield failure(path, error)


def report(select: Callable[[bytes], Codec], source: str, data: bytes) -> Fact:
    """What a stream holds, as `--json` tells it.

    Args:
        select: gives the codec of a stream, or raises `WrongModelError` or `InstallationError`.
        source: where the stream is from.
        data: the stream.

    Raises:
        StreamError: if not even its header can be read.
    """
    header, offset = read_header(data)
    state, read, missing = _read(select, data)
    identity = _identity(select, data)
    return {
        "file": source,
        "version": header.version,
        "width": header.width,
        "height": header.height,
        "downscale": header.downscale,
        "preset": identity.preset,
        "model_id": identity.model_id and identity.model_id.hex(),
        "entropy_coded_id": identity.entropy_coded_id and identity.entropy_coded_id.hex(),
        "model": str(identity),
        "entropy_coded": header.entropy_coded,
        "checked": header.checked,
        "open_end": header.open_end,
        "adaptive": header.adaptive,
        "iterations": header.iterations,
        "state": state,
        "whole_iterations": read and read.whole_iterations,
        "iteration_ends": read and read.ends,
        "mean_iterations": read and round(float(read.iterations_taken.mean()), 2),
        "bytes": len(data),
        "missing_bytes_at_most": missing,
        "header_bytes": offset,
        "bpp": round(8 * len(data) / (header.width * header.height), 4),
    }


def describe(fact: Fact) -> str:
    """What is told of a file, in a line."""
    iterations = f"{fact['iterations']} iterations"
    if fact["iteration_ends"]:
        iterations += f" ending at {', '.join(f'{end:,}' for end in fact['iteration_ends'])} bytes"
    if fact["adaptive"] and fact["mean_iterations"]:
        iterations += f", {fact['mean_iterations']:.2f} on average"
    if fact["state"] in ("cut", "damaged"):
        iterations += f"; {fact['state']}: {fact['whole_iterations'] or 0} of them whole"
    elif fact["state"] in REASONS:
        iterations += f"; not looked into, as {REASONS[fact['state']]}"
    if fact["missing_bytes_at_most"]:
        iterations += f", at most {fact['missing_bytes_at_most']:,} bytes missing"
    return (
        f"{display(fact['file'])}: {fact['width']}x{fact['height']}, {fact['bytes']:,} bytes, "
        f"{fact['bpp']:.3f} bpp, {fact['model']}, "
        f"{'' if fact['entropy_coded'] else 'not '}entropy-coded, "
        f"{'adaptive, ' if fact['adaptive'] else ''}"
        f"{'' if fact['downscale'] == 1 else 'at half the resolution, '}"
        f"format version {fact['version']}, {iterations}"
    )


def _read(select: Callable[[bytes], Codec], data: bytes) -> tuple[str, Planes | None, int | None]:
    """How a stream fares, what can be read of it, and how many bytes it lacks at most."""
    try:
        codec = select(data)
        return "whole", codec.read_planes(data), None
    except WrongModelError:
        return "unknown", None, None
    except InstallationError:
        return "not installed", None, None
    except TooLargeError:
        return "too large", None, None
    except TruncatedStreamError:
        state = "cut"
    except CorruptStreamError:
        state = "damaged"
    try:
        read = codec.read_planes(data, allow_truncated=True)
    except StreamError:
        read = None
    return state, read, _missing_bytes(codec, data, read) if state == "cut" else None


def _identity(select: Callable[[bytes], Codec], data: bytes) -> ModelIdentity:
    """Which model made a stream, as far as that is known."""
    header, _ = read_header(data)
    try:
        identity = select(data).identity
    except (WrongModelError, InstallationError):
        return identify(header.model_id, header.entropy_coded)
    if identity.stream_id(header.entropy_coded) == header.model_id:
        return identity
    return identify(header.model_id, header.entropy_coded)


def _missing_bytes(codec: Codec, data: bytes, read: Planes | None) -> int:
    """The most bytes that a stream can have lost at its end.

    A plane that its model would make grow is stored, so its bits take a bit each.
    """
    header, whole_bytes = read_header(data)
    height, width, bits = header.plane_shape(codec.runtime.stride, codec.runtime.bits)
    whole, locations = 0, height * width
    if read is not None and read.whole_iterations:
        whole, whole_bytes = read.whole_iterations, read.ends[-1]
        locations = int(np.count_nonzero(coded_locations(read.planes[whole - 1])))
    plane = float(locations * bits)
    if header.checked:
        plane += 8 * checksum_bytes(height * width * bits)
    if header.entropy_coded:
        plane += math.log2(CERTAIN / STORED)
    if header.adaptive:
        plane += _MOST_FOR_MASK_BIT * locations
    rest = math.ceil((header.iterations - whole) * _MOST_FOR_BIT * plane / 8) + 1
    return max(1, whole_bytes + rest - len(data))
