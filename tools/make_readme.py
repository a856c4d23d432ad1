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
FOR_THUMBNAILS = "conv_lstm_thumbnails"


def main() -> None:
    """Writes the table."""
    page = between_markers(README.read_text(), "tools/make_readme.py", part())
    write_or_check(README, page)


def part() -> str:
    """The table, and the words that make it honest."""
    thumbnails = read_json("thumbnails/results")
    entries = {entry["codec"]: entry["points"] for entry in thumbnails["codecs"]}
    ours = entries[thumbnails["codecs"][0]["codec"]]
    small, jpeg = entries[FOR_THUMBNAILS], entries["jpeg"]
    lines = [
        "| bytes | SSIM | PSNR | for thumbnails: SSIM | JPEG: bytes | SSIM | PSNR |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        number = ours["target_bytes"].index(size)
        lines.append(
            f"| {size} | {ours['ssim'][number]:.3f} | {ours['psnr'][number]:.2f} dB "
            f"| {small['ssim'][number]:.3f} | {jpeg['bytes'][number]:.1f} "
            f"| {jpeg['ssim'][number]:.3f} | {jpeg['psnr'][number]:.2f} dB |"
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
        f"Means over {thumbnails['images']} thumbnails of 32x32 pixels without headers; *for "
        f"thumbnails* is `{FOR_THUMBNAILS}`.\nThey chose the weights. On "
        f"{held_out['images']} from Kodak, which did not, SSIM at 64 bytes is {ours:.3f}, JPEG's "
        f"{jpeg:.3f}.\nThe training loss contains SSIM; with the paper's, layout "
        f"`{run['layout']}` has {paper_loss:.3f}."
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
        f"{bits('webp', 'psnr')} and {bits('webp', 'msssim')},\n"
        "averaged over the qualities that both have."
    )


def read_json(name: str) -> dict:
    """A file of docs/results/."""
    return json.loads((RESULTS / f"{name}.json").read_text())


if __name__ == "__main__":
    main()
