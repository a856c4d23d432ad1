"""`tfrnnc-info`."""

from __future__ import annotations

import click

from tfrnnc.bitstream.container import VERSION, read_header
from tfrnnc.cli.common import command, display, read_input, run_all
from tfrnnc.presets import preset_of


@command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def main(paths, as_json):
    """Tell what .rnnc files hold, without decoding them.

    FILE may be - for standard input.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """

    def work(source: str, _: str) -> dict:
        data = read_input(source)
        header, offset = read_header(data)
        whole = min(header.steps, (len(data) - offset) // header.plane_bytes)
        return {
            "file": source,
            "version": VERSION,
            "width": header.width,
            "height": header.height,
            "model_id": header.model_id.hex(),
            "preset": preset_of(header.model_id),
            "stride": header.stride,
            "bits": header.bits,
            "steps": header.steps,
            "whole_steps": whole,
            "bytes": len(data),
            "expected_bytes": header.stream_bytes,
            "header_bytes": offset,
            "bytes_per_step": header.plane_bytes,
            "bpp": round(8 * len(data) / (header.width * header.height), 4),
        }

    def describe(fact: dict) -> str:
        state = (
            ""
            if fact["bytes"] == fact["expected_bytes"]
            else (
                f"; {'cut' if fact['bytes'] < fact['expected_bytes'] else 'too long'}: should have "
                f"{fact['expected_bytes']:,} bytes, {fact['whole_steps']} steps are whole"
            )
        )
        return (
            f"{display(fact['file'])}: {fact['width']}x{fact['height']}, {fact['bytes']:,} bytes, "
            f"{fact['bpp']:.3f} bpp, {fact['steps']} steps of {fact['bytes_per_step']:,} bytes, "
            f"model {fact['preset'] or 'unknown'} ({fact['model_id']}), "
            f"format version {fact['version']}{state}"
        )

    run_all([(path, "") for path in paths], work, describe, as_json, quiet=False)
