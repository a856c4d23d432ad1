"""Writes docs/RESULTS.md, its figures and the table of docs/PREVIEW.md from docs/results/.

    python tools/make_results.py [--check]

`make results` measures what is there. The prose is in templates/RESULTS.md. The paper's own figures
are in docs/results/paper.json, those of other papers on Kodak in literature.json, and those of past
trainings in training_runs.json. With --check nothing is written: exit code 1 says that one is old.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

import numpy as np

import preview_tables
from checked_page import write_or_check
from tfrnnc.evaluation import RateCurve
from tfrnnc.evaluation.codecs import CLASSIC_CODECS, CodecSpec
from tfrnnc.evaluation.labels import codec_label
from tfrnnc.evaluation.plots import (
    PublishedCurve,
    add_legend,
    draw_curves,
    new_figure,
    save_figure,
)
from tfrnnc.evaluation.report import add_curves, shown_delta
from tfrnnc.model_folder.presets import find_model

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"
TEMPLATE = Path(__file__).parent / "templates" / "RESULTS.md"
FIGURE_FILE = RESULTS / "figure_5.png"
#: The folders with figures of their own, and what the images are that they were measured on.
IMAGES = {
    "thumbnails": "thumbnails of 32x32 pixels",
    "architectures": "thumbnails of 32x32 pixels",
    "kodak": "Kodak photos",
    "kodak_architectures": "Kodak photos",
}
HELD_OUT_SIZES = (16, 32, 64, 128)


def main() -> None:
    """Writes the pages and draws the figures."""
    previews = DOCS / "PREVIEW.md"
    write_or_check(previews, preview_tables.with_own_qualities(previews.read_text()))
    if not write_or_check(DOCS / "RESULTS.md", page()):
        return
    draw_figure_5(read("thumbnails"), read("architectures"))
    for folder, images in IMAGES.items():
        report = read(folder)
        curves = published() if folder == "kodak" else ()
        draw_curves(report, RESULTS / folder, curves, title=f"{report['images']} {images}")


def page() -> str:
    """The page's text."""
    thumbnails, architectures, kodak = map(read, ("thumbnails", "architectures", "kodak"))
    held_out = read("held_out")
    paper, runs, levers = map(read_json, ("paper", "training_runs", "levers"))
    return Template(TEMPLATE.read_text()).substitute(
        thumbnails_images=thumbnails["images"],
        thumbnails_data=thumbnails["data"],
        thumbnails_table=paper_protocol(thumbnails, "ssim"),
        thumbnails_psnr_table=paper_protocol(thumbnails, "psnr"),
        equal_quality=equal_quality(thumbnails),
        held_out_images=held_out["images"],
        held_out_table=held_out_table(held_out),
        held_out_equal_quality=equal_quality(held_out),
        paper_table=paper_table(paper, thumbnails, architectures),
        paper_figure=paper_figure(paper, thumbnails),
        thumbnails_strips=strips("thumbnails"),
        kodak_images=kodak["images"],
        kodak_reference=codec_label(kodak["references"][0]),
        kodak_table=modern_protocol(kodak["codecs"], kodak["references"][0]),
        literature_table=literature(kodak),
        direct_table=direct(kodak),
        kodak_strips=strips("kodak"),
        previews_small=preview_tables.comparison(preview_tables.SMALL),
        previews_small_strips=strips("previews_thumbnails"),
        previews_enlarged=preview_tables.comparison(preview_tables.ENLARGED),
        previews_enlarged_strips=strips("previews_native_256"),
        architectures_table=all_architectures(paper, architectures, read("kodak_architectures")),
        architectures_strips=strips("architectures"),
        paper_loss_table=paper_loss(runs["paper_loss"], thumbnails),
        ablations_table=ablations(runs["ablations"]),
        levers_seconds=f"{levers['cpu_seconds']:.0f}",
        levers_table=levers_table(levers),
    )


def read_json(name: str) -> dict:
    """A file of docs/results/."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def read(folder: str) -> dict:
    """The results in a folder."""
    return read_json(f"{folder}/results")


def entry_of(report: dict, codec: str) -> dict:
    """What was measured of a codec."""
    (entry,) = (each for each in report["codecs"] if each["codec"] == codec)
    return entry


def points(report: dict, codec: str) -> dict:
    """A codec's lists."""
    return entry_of(report, codec)["points"]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Rows as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ours_of(report: dict) -> str:
    """The codec that the page is about: the first that was measured."""
    return report["codecs"][0]["codec"]


def paper_protocol(report: dict, metric: str) -> str:
    """A measure of each codec at each target, and the bytes that it took."""
    names = [entry["codec"] for entry in report["codecs"]]
    rows = []
    for number, target in enumerate(report["codecs"][0]["points"]["target_bytes"]):
        row = [str(target)]
        for name in names:
            codec_results = points(report, name)
            quality, size = codec_results[metric][number], codec_results["bytes"][number]
            shown = f"{quality:.2f} dB" if metric == "psnr" else f"{quality:.3f}"
            row.append(f"{shown} ({size:.1f})")
        rows.append(row)
    head = {"ssim": "SSIM (mean bytes) at", "psnr": "PSNR (mean bytes) at"}[metric]
    return table([head, *map(codec_label, names)], [[f"{row[0]} bytes", *row[1:]] for row in rows])


def held_out_table(report: dict) -> str:
    """SSIM and PSNR of each codec at some targets, and the bytes that it took."""
    names = [codec_label(entry["codec"]) for entry in report["codecs"]]
    rows = []
    for size in HELD_OUT_SIZES:
        row = [f"{size} bytes"]
        for entry in report["codecs"]:
            results = entry["points"]
            number = results["target_bytes"].index(size)
            ssim, psnr, taken = (results[name][number] for name in ("ssim", "psnr", "bytes"))
            row.append(f"{ssim:.3f}, {psnr:.2f} ({taken:.1f})")
        rows.append(row)
    return table(["SSIM, PSNR in dB (mean bytes) at", *names], rows)


def equal_quality(report: dict) -> str:
    """How many bytes fewer the presets take at the SSIM of each classic codec, at two sizes."""
    presets, classics = [], []
    for entry in report["codecs"]:
        is_classic = CodecSpec.parse(entry["codec"]).name in CLASSIC_CODECS
        (classics if is_classic else presets).append(entry)
    tables = []
    for target in (64, 128):
        rows = []
        for entry in classics:
            number = entry["points"]["target_bytes"].index(target)
            theirs, quality = (entry["points"][name][number] for name in ("bytes", "ssim"))
            row = [codec_label(entry["codec"]), f"SSIM {quality:.3f} in {theirs:.1f}"]
            rows.append([*row, *(needed(quality, theirs, each["points"]) for each in presets)])
        labels = [codec_label(each["codec"]) for each in presets]
        tables.append(table(["codec", f"at {target} bytes", *labels], rows))
    return "\n\n".join(tables)


def needed(quality: float, theirs: float, ours: dict) -> str:
    """The bytes for an SSIM, and how many fewer they are than those of another codec."""
    sizes, qualities = ours["bytes"], ours["ssim"]
    if quality > qualities[-1]:
        return f"{qualities[-1]:.3f} in {sizes[-1]:.1f}, its last size"
    size = float(np.interp(quality, qualities, sizes))
    share = 100 * (1 - size / theirs)
    fewer = f"{share:.0f} % fewer" if share >= 0 else f"{-share:.0f} % more"
    if quality < qualities[0]:
        return f"{qualities[0]:.3f} in {size:.1f}, {fewer}"
    return f"{size:.1f}, {fewer}"


def paper_table(paper: dict, thumbnails: dict, architectures: dict) -> str:
    """Table 1 of the paper beside the same here."""
    sizes = paper["table_1"]["bytes"]
    rows = []
    for each in paper["table_1"]["rows"]:
        row = [each["name"], *(f"{ssim:.2f}" for ssim in each["ssim"])]
        if "codec" in each:
            here = measured_here(each, thumbnails, architectures)
            row += [f"{ssim_at(here, size):.3f}" for size in sizes]
        rows.append([*row, *[""] * (5 - len(row))])
    first, second = sizes
    head = [f"paper, {first} bytes", f"paper, {second}", f"here, {first}", f"here, {second}"]
    return table(["Table 1, SSIM", *head], rows)


def paper_figure(paper: dict, thumbnails: dict) -> str:
    """A line of figure 5 of the paper beside the same here."""
    (curve,) = (each for each in paper["figure_5"]["curves"] if each["name"] == "conv_lstm")
    preset = ours_of(thumbnails)
    ours = points(thumbnails, preset)
    rows = [
        [str(size), f"{quality:.3f}", f"{ssim_at(ours, size):.3f}"]
        for size, quality in zip(paper_sizes(paper, curve), curve["ssim"], strict=True)
        if size in ours["target_bytes"]
    ]
    return table(
        ["bytes", "SSIM of conv_lstm in the paper", f"SSIM of {codec_label(preset)} here"], rows
    )


def paper_sizes(paper: dict, curve: dict) -> list[int]:
    """The bytes of the points of a curve in figure 5."""
    step = paper["figure_5"]["bytes_between_points"]
    return [curve["first_bytes"] + step * number for number in range(len(curve["ssim"]))]


def measured_here(each: dict, thumbnails: dict, architectures: dict) -> dict:
    """The lists of the codec here that stands beside one of the paper's.

    Beside its best stands the first codec of the page. The other presets were measured together,
    apart from the classic codecs.
    """
    if each.get("best"):
        return points(thumbnails, ours_of(thumbnails))
    names = [entry["codec"] for entry in architectures["codecs"]]
    return points(architectures if each["codec"] in names else thumbnails, each["codec"])


def draw_figure_5(thumbnails: dict, architectures: dict) -> None:
    """Draws the curves measured here beside the paper's: full and broken lines."""
    paper = read_json("paper")
    figure, axes = new_figure()
    last = 0
    for curve in paper["figure_5"]["curves"]:
        style = {"color": curve["colour"], "marker": curve["marker"], "markersize": 6}
        here = measured_here(curve, thumbnails, architectures)
        axes.plot(here["bytes"], here["ssim"], "-", **style, label=f"{curve['name']}, here")
        sizes = paper_sizes(paper, curve)
        style["markerfacecolor"] = "white"
        axes.plot(sizes, curve["ssim"], "--", **style, label=f"{curve['name']}, paper")
        last = max(last, sizes[-1])
    axes.set_xlabel("bytes without headers", fontsize=12)
    axes.set_ylabel("SSIM", fontsize=12)
    axes.set_xticks(range(16, last + 1, 16))
    axes.set_title("The paper's figure 5, and the same here", fontsize=12)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    add_legend(figure, axes)
    save_figure(figure, FIGURE_FILE)


def all_architectures(paper: dict, thumbnails: dict, kodak: dict) -> str:
    """The presets of all architectures, on thumbnails and on Kodak."""
    targets = (16, 32, 64, 96, 128)
    measured = [entry["codec"] for entry in thumbnails["codecs"]]
    labels = {each.get("codec"): each["name"] for each in paper["table_1"]["rows"]}
    rows = []
    for name, label in labels.items():
        if name not in measured:
            continue
        manifest = find_model(name).read_manifest()
        size = sum(file.size_bytes for file in (*manifest.encoders, *manifest.decoders))
        codec_results = points(thumbnails, name)
        deltas = bd_rates(entry_of(kodak, name), kodak["references"][0])
        rows.append(
            [
                label,
                f"`{name}`",
                f"{size:,}",
                *(f"{ssim_at(codec_results, target):.3f}" for target in targets),
                *deltas,
            ]
        )
    sizes = [f"SSIM at {target} bytes" for target in targets]
    head = ["architecture", "preset", "bytes of the model", *sizes]
    return table([*head, "Kodak: BD-rate, PSNR", "Kodak: BD-rate, MS-SSIM"], rows)


def paper_loss(run: dict, thumbnails: dict) -> str:
    """What a model trained without SSIM has, beside JPEG."""
    jpeg = points(thumbnails, "jpeg")
    rows = [
        [f"{target} bytes", f"{ssim:.3f}", f"{psnr:.2f} dB", f"{ssim_at(jpeg, target):.3f}"]
        for target, ssim, psnr in zip(run["bytes"], run["ssim"], run["psnr"], strict=True)
    ]
    return table(["at", "SSIM", "PSNR", "JPEG: SSIM"], rows)


def ablations(runs: dict) -> str:
    """What other trainings ended with."""
    rows = [
        [row["name"], f"{row['loss']:.4f}", *(f"{ssim:.3f}" for ssim in row["ssim"])]
        for row in runs["rows"]
    ]
    iterations = (f"SSIM, iteration {number}" for number in runs["iterations"])
    return table(["training", "loss", *iterations], rows)


def levers_table(report: dict) -> str:
    """Trainings of the same CPU time, in bits for the quality of the first."""
    base, *_ = report["levers"]
    rows = []
    for lever in report["levers"]:
        deltas = (
            "-" if lever is base or percent is None else f"{percent:+.1f} %"
            for percent in lever["bd_rates"].values()
        )
        rows.append([lever["label"], f"{lever['batches']:,}", *deltas])
    head = ["photos: PSNR", "photos: SSIM", "thumbnails: PSNR", "thumbnails: SSIM"]
    return table(["training", "batches", *head], rows)


def ssim_at(codec_results: dict, target: int) -> float:
    """The SSIM of a codec's lists at a target."""
    return codec_results["ssim"][codec_results["target_bytes"].index(target)]


def modern_protocol(entries: list[dict], reference: str) -> str:
    """Quality at a few rates, BD-rates and areas, a row for each codec."""
    shown_rates = [rate for rate in entries[0]["at_bpp"]["bpp"] if rate <= 1]
    rows = []
    for entry in entries:
        row = [codec_label(entry["codec"])]
        for metric, digits in (("psnr", 2), ("msssim", 4)):
            qualities = entry["at_bpp"][metric][: len(shown_rates)]
            row += ["-" if value is None else f"{value:.{digits}f}" for value in qualities]
        area = f"{entry['area']['msssim']:.4f}"
        rows.append([*row, area, *bd_rates(entry, reference)])
    head = ["codec", *(f"PSNR, {rate:g} bpp" for rate in shown_rates)]
    head += [f"MS-SSIM, {rate:g} bpp" for rate in shown_rates]
    return table([*head, "area to 2 bpp", "BD-rate, PSNR", "BD-rate, MS-SSIM"], rows)


def bd_rates(entry: dict, reference: str) -> list[str]:
    """A codec's BD-rates, for PSNR and for MS-SSIM, and the qualities that they are taken over."""
    deltas = entry["bd_rate"][reference]
    return [shown_delta(deltas[metric], metric) for metric in ("psnr", "msssim")]


def published() -> list[PublishedCurve]:
    """The curves of other papers on Kodak."""
    return [
        PublishedCurve(
            curve["name"], curve["bpp"], {name: curve[name] for name in ("psnr", "msssim")}
        )
        for curve in read_json("literature")["curves"]
    ]


def literature(kodak: dict) -> str:
    """Other papers' codecs, read off their published points as those measured here."""
    reference = kodak["references"][0]
    entries = [
        {
            "codec": curve.name,
            "points": {"bpp": curve.rates, **curve.qualities},
        }
        for curve in published()
    ]
    report = {"metrics": ["psnr", "msssim"], "codecs": [entry_of(kodak, reference), *entries]}
    add_curves(report, [reference])
    return modern_protocol(entries, reference)


def direct(kodak: dict) -> str:
    """The BD-rate of our codec against each other one, over the qualities that both have."""
    ours = entry_of(kodak, ours_of(kodak))
    others = [
        *((codec_label(each["codec"]), each["points"]) for each in kodak["codecs"]),
        *((curve.name, {"bpp": curve.rates, **curve.qualities}) for curve in published()),
    ]
    rows = []
    for name, their_points in others:
        if name == codec_label(ours["codec"]):
            continue
        row = [name]
        for metric in ("psnr", "msssim"):
            our_curve, their_curve = (
                RateCurve(lists["bpp"], lists[metric], metric)
                for lists in (ours["points"], their_points)
            )
            delta = our_curve.bd_rate(their_curve)
            shown = {"percent": delta.percent, "from": delta.low, "to": delta.high}
            row.append(shown_delta(shown, metric))
        rows.append(row)
    return table([f"{codec_label(ours['codec'])} against", "PSNR", "MS-SSIM"], rows)


def strips(folder: str) -> str:
    """The pictures of the same image by every codec that are in a folder of results."""
    return "\n\n".join(
        f"![{image_name(path)} by every codec]({path.relative_to(DOCS)})"
        for path in sorted((RESULTS / folder).glob("strip_*"))
    )


def image_name(strip: Path) -> str:
    """The name of the image in a strip, without the ending of its file.

    Examples:
        >>> image_name(Path("strip_kodim05_webp.jpg"))
        'kodim05'
    """
    return strip.stem.removeprefix("strip_").rpartition("_")[0]


if __name__ == "__main__":
    main()
