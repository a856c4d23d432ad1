"""Writes the README's figures of quality from what `make results` measured in docs/results/.

    python tools/make_readme.py [--check]

They stand between two lines of the README. With --check nothing is written: exit code 1 says
that it is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path

from checked_page import between_markers, write_or_check
from tfrnnc.evaluation import RateCurve

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results"
SIZES = (32, 64, 128)


def main() -> None:
    """Writes the table."""
    page = between_markers(README.read_text(), "tools/make_readme.py", part())
    write_or_check(README, page)


def part() -> str:
    """The table, and the words that make it honest."""
    thumbnails = read_json("thumbnails/results")
    entries = {entry["codec"]: entry["points"] for entry in thumbnails["codecs"]}
    ours = entries[thumbnails["codecs"][0]["codec"]]
    jpeg = entries["jpeg"]
    lines = [
        "| bytes | SSIM | PSNR | JPEG: bytes | SSIM | PSNR |",
        "|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        here, there = (points["target_bytes"].index(size) for points in (ours, jpeg))
        lines.append(
            f"| {size} | {ours['ssim'][here]:.3f} | {ours['psnr'][here]:.2f} dB "
            f"| {jpeg['bytes'][there]:.1f} | {jpeg['ssim'][there]:.3f} "
            f"| {jpeg['psnr'][there]:.2f} dB |"
        )
    return "\n".join(
        [on_photos(), "", *lines, "", caveats(thumbnails, read_json("held_out/results"))]
    )


def caveats(thumbnails: dict, held_out: dict) -> str:
    """What favours the model in the table, and how it does without that."""
    run = read_json("training_runs")["paper_loss"]
    paper_loss = dict(zip(run["bytes"], run["ssim"], strict=True))[64]
    at_64 = {
        entry["codec"]: entry["points"]["ssim"][entry["points"]["target_bytes"].index(64)]
        for entry in held_out["codecs"]
    }
    ours, jpeg = at_64[held_out["codecs"][0]["codec"]], at_64["jpeg"]
    return (
        f"Means over {thumbnails['images']} thumbnails of 32x32 pixels, headers not counted. These "
        f"chose the weights. On {held_out['images']} from\nKodak, which did not, SSIM at 64 bytes "
        f"is {ours:.3f}, and JPEG's {jpeg:.3f}. The training loss contains SSIM;\nwith the paper's "
        f"own loss, layout `{run['layout']}` has {paper_loss:.3f} at 64 bytes."
    )


def on_photos() -> str:
    """How many bits photos take beside those of other codecs."""
    kodak = read_json("kodak/results")
    curves = {
        (entry["codec"], metric): RateCurve(entry["points"]["bpp"], entry["points"][metric], metric)
        for entry in kodak["codecs"]
        for metric in ("psnr", "msssim")
    }
    ours = kodak["codecs"][0]["codec"]

    def bits(other: str, metric: str) -> str:
        percent = curves[ours, metric].bd_rate(curves[other, metric]).percent
        return f"{abs(percent):.0f} % {'fewer' if percent < 0 else 'more'}"

    return (
        f"On the {kodak['images']} Kodak photos tfrnnc takes {bits('jpeg', 'psnr')} bits than JPEG "
        f"for the same PSNR and\n{bits('jpeg', 'msssim')} for the same MS-SSIM; against WebP, "
        f"{bits('webp', 'psnr')} and {bits('webp', 'msssim')}. These\n"
        "are averages over the qualities that both codecs have."
    )


def read_json(name: str) -> dict:
    """A file of docs/results/."""
    return json.loads((RESULTS / f"{name}.json").read_text())


if __name__ == "__main__":
    main()
