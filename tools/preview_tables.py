"""The tables of previews in docs/, from what recipes/previews.sh measured in docs/results/."""

from __future__ import annotations

import json
from pathlib import Path

from checked_page import between_markers
from tfrnnc.evaluation.labels import codec_label

DOCS = Path(__file__).parents[1] / "docs"
HASHES = ("thumbhash", "blurhash")  #: codecs of one size
#: The sets at 32 pixels, and enlarged from 32 to 256.
SMALL, ENLARGED = ("thumbnails", "native", "kodak"), ("native_256", "kodak_256")
NAMES = {
    "thumbnails": "`thumbnails/val`",
    "native": "`native/val`",
    "kodak": "Kodak",
    "native_256": "`native/val`",
    "kodak_256": "Kodak",
}


def read(name: str) -> dict:
    """What was measured on a set."""
    return json.loads((DOCS / "results" / f"previews_{name}" / "results.json").read_text())


def comparison(names: tuple[str, ...]) -> str:
    """All codecs at all sizes, a table for each set of images."""
    return "\n\n".join(map(_comparison, names))


def with_own_qualities(text: str) -> str:
    """docs/PREVIEW.md with the part between the markers made again."""
    return between_markers(text, "tools/make_results.py", own_qualities())


def own_qualities() -> str:
    """The preview at all sizes, and the hashes, a row for each set of images of 32 pixels."""
    reports = {name: read(name) for name in SMALL}
    head = [str(target) for target in _points(reports["thumbnails"], "preview")["target_bytes"]]
    for codec in HASHES:
        sizes = _points(reports["thumbnails"], codec)["bytes"]
        head.append(f"{codec_label(codec)}, {sizes[0]:.0f}")
    rows = []
    for name, report in reports.items():
        ours = _points(report, "preview")
        cells = [_quality(ours, number) for number in range(len(ours["bytes"]))]
        cells += [_quality(_points(report, codec), 0) for codec in HASHES]
        rows.append([f"{NAMES[name]}, {report['images']}", *cells])
    return _table(["bytes", *head], rows)


def _comparison(name: str) -> str:
    report = read(name)
    codecs = [entry["codec"] for entry in report["codecs"]]
    targets = report["codecs"][0]["points"]["target_bytes"]
    rows = []
    for number, target in enumerate(targets):
        cells = [_cell(_points(report, codec), number) for codec in codecs]
        rows.append([f"{target} bytes", *cells])
    title = f"{NAMES[name]}, {report['images']} images"
    return _table([title, *map(codec_label, codecs)], rows)


def _cell(points: dict, number: int) -> str:
    """Quality at a size, if none of the other sizes is nearer to the bytes that were taken."""
    size, targets = points["bytes"][number], points["target_bytes"]
    nearest = min(targets, key=lambda target: abs(target - size))
    if nearest != targets[number]:
        return "-"
    quality = _quality(points, number)
    return quality if round(size, 1) == nearest else f"{quality} ({size:.1f})"


def _quality(points: dict, number: int) -> str:
    return f"{points['psnr'][number]:.2f}, {points['ssim'][number]:.3f}"


def _points(report: dict, codec: str) -> dict:
    (points,) = (entry["points"] for entry in report["codecs"] if entry["codec"] == codec)
    return points


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
