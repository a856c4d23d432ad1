"""`tfrnnc-info`."""

from __future__ import annotations

import click

from tfrnnc.bitstream import Planes, read_header
from tfrnnc.cli.common import command, display, read_input, run_all
from tfrnnc.codec.select import CodecSelector
from tfrnnc.errors import CorruptStreamError, StreamError, TruncatedStreamError, WrongModelError
from tfrnnc.model_folder.presets import model_folder, preset_of


@command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", help="The folder of the model, for files that none of the presets made.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def main(paths, model, as_json):
    """Tell what .rnnc files hold, without making a picture.

    FILE may be - for standard input. Where the iterations end is known if the model is: it takes
    reading the code.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    if model:
        model_folder(model)  # Fails now rather than once for each input.
    select = CodecSelector(model)

    def work(source: str, _: str) -> dict:
        data = read_input(source)
        header, offset = read_header(data)
        state, found = _read(select, data)
        return {
            "file": source,
            "version": header.version,
            "width": header.width,
            "height": header.height,
            "model_id": header.model_id.hex(),
            "preset": preset_of(header.model_id),
            "entropy_coded": header.entropy_coded,
            "checked": header.checked,
            "open_end": header.open_end,
            "adaptive": header.adaptive,
            "iterations": header.iterations,
            "state": state,
            "whole_iterations": found and found.whole_iterations,
            "iteration_ends": found and found.ends,
            "mean_iterations": found and round(float(found.iterations_taken.mean()), 2),
            "bytes": len(data),
            "header_bytes": offset,
            "bpp": round(8 * len(data) / (header.width * header.height), 4),
        }

    def describe(fact: dict) -> str:
        iterations = f"{fact['iterations']} iterations"
        if fact["iteration_ends"]:
            iterations += (
                f" ending at {', '.join(f'{end:,}' for end in fact['iteration_ends'])} bytes"
            )
        if fact["adaptive"] and fact["mean_iterations"]:
            iterations += f", {fact['mean_iterations']:.2f} on average"
        if fact["state"] in ("cut", "damaged"):
            iterations += f"; {fact['state']}: {fact['whole_iterations'] or 0} of them whole"
        elif fact["state"] == "unknown":
            iterations += "; not looked into, as the model is not known"
        return (
            f"{display(fact['file'])}: {fact['width']}x{fact['height']}, {fact['bytes']:,} bytes, "
            f"{fact['bpp']:.3f} bpp, model {fact['preset'] or 'unknown'} ({fact['model_id']}), "
            f"{'' if fact['entropy_coded'] else 'not '}entropy-coded, "
            f"{'adaptive, ' if fact['adaptive'] else ''}"
            f"format version {fact['version']}, {iterations}"
        )

    run_all([(path, "") for path in paths], work, describe, as_json, quiet=False)


def _read(select: CodecSelector, data: bytes) -> tuple[str, Planes | None]:
    """How a stream fares, and what can be read of it; nothing where the model is not known."""
    try:
        codec = select(data)
        return "whole", codec.read_planes(data)
    except WrongModelError:
        return "unknown", None
    except TruncatedStreamError:
        state = "cut"
    except CorruptStreamError:
        state = "damaged"
    try:
        return state, codec.read_planes(data, allow_truncated=True)
    except StreamError:
        return state, None
