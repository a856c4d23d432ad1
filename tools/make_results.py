"""Writes docs/RESULTS.md from what `make results` measured in docs/results/.

    python tools/make_results.py [--check]

The prose is in templates/RESULTS.md; the paper's own figures and those of past trainings, in
docs/results/paper.json and training_runs.json. With --check nothing is written: exit code 1 says
that the page is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

import numpy as np
from matplotlib.figure import Figure

from checked_page import write_or_check
from tfrnnc.evaluation.plots import save_figure
from tfrnnc.model_folder.presets import find_model

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"
TEMPLATE = Path(__file__).parent / "templates" / "RESULTS.md"
FIGURE_FILE = RESULTS / "figure_5.png"
OURS, SEARCHED = "conv_lstm_medium", "conv_lstm_medium@6"


def main() -> None:
    """Writes the page, and the figure that is not the evaluation's."""
    if write_or_check(DOCS / "RESULTS.md", page()):
        draw_figure_5(read("thumbnails"), read("architectures"))


def page() -> str:
    """The page's text."""
    thumbnails, architectures, kodak = map(read, ("thumbnails", "architectures", "kodak"))
    paper, runs = read_json("paper"), read_json("training_runs")
    return Template(TEMPLATE.read_text()).substitute(
        thumbnails_images=thumbnails["images"],
        thumbnails_data=thumbnails["data"],
        thumbnails_table=paper_protocol(thumbnails),
        equal_quality=equal_quality(thumbnails),
        paper_table=paper_table(paper, thumbnails, architectures),
        paper_figure=paper_figure(paper, thumbnails),
        thumbnails_strips=strips("thumbnails"),
        kodak_images=kodak["images"],
        kodak_reference=kodak["references"][0],
        kodak_table=modern_protocol(kodak),
        kodak_strips=strips("kodak"),
        architectures_table=all_architectures(paper, architectures, read("kodak_architectures")),
        architectures_strips=strips("architectures"),
        history_table=history(runs["history"], thumbnails),
        ablations_table=ablations(runs["ablations"]),
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


def paper_protocol(report: dict) -> str:
    """Bytes and SSIM of each codec at each target."""
    names = [entry["codec"] for entry in report["codecs"]]
    rows = []
    for number, target in enumerate(points(report, OURS)["target_bytes"]):
        row = [str(target)]
        for name in names:
            codec_results = points(report, name)
            row.append(
                f"{codec_results['bytes'][number]:.1f}: {codec_results['ssim'][number]:.3f}, "
                f"{codec_results['psnr'][number]:.2f} dB"
            )
        rows.append(row)
    return table(["bytes", *names], rows)


def equal_quality(report: dict) -> str:
    """How many bytes fewer the preset takes at the SSIM of each classic codec."""
    rows = []
    ours = points(report, OURS)
    for entry in report["codecs"]:
        if entry["codec"] in (OURS, SEARCHED):
            continue
        row = [entry["codec"]]
        codec_results = entry["points"]
        for target in (64, 128):
            number = codec_results["target_bytes"].index(target)
            theirs, quality = codec_results["bytes"][number], codec_results["ssim"][number]
            row.append(f"{theirs:.1f} bytes for {quality:.3f}: {needed(quality, theirs, ours)}")
        rows.append(row)
    return table(["codec", "at 64 bytes", "at 128 bytes"], rows)


def needed(quality: float, theirs: float, ours: dict) -> str:
    """What the preset takes for an SSIM, beside the bytes that another codec takes."""
    sizes, qualities = ours["bytes"], ours["ssim"]
    if quality > qualities[-1]:
        return f"{OURS} has {qualities[-1]:.3f} at {sizes[-1]:.1f}, its last size"
    size = float(np.interp(quality, qualities, sizes))
    fewer = f"{100 * (1 - size / theirs):.0f} % fewer"
    if quality < qualities[0]:
        return f"{OURS} has {qualities[0]:.3f} at {size:.1f}, {fewer}"
    return f"{OURS} takes {size:.1f}, {fewer}"


def paper_table(paper: dict, thumbnails: dict, architectures: dict) -> str:
    """Table 1 of the paper beside the same here."""
    sizes = paper["table_1"]["bytes"]
    rows = []
    for each in paper["table_1"]["rows"]:
        row = [each["name"], *(f"{ssim:.2f}" for ssim in each["ssim"])]
        if "codec" in each:
            here = measured_here(each["codec"], thumbnails, architectures)
            row += [f"{ssim_at(here, size):.3f}" for size in sizes]
        rows.append([*row, *[""] * (5 - len(row))])
    first, second = sizes
    head = [f"paper, {first} bytes", f"paper, {second}", f"here, {first}", f"here, {second}"]
    return table(["Table 1, SSIM", *head], rows)


def paper_figure(paper: dict, thumbnails: dict) -> str:
    """A line of figure 5 of the paper beside the same here."""
    (curve,) = (each for each in paper["figure_5"]["curves"] if each["name"] == "conv_lstm")
    ours = points(thumbnails, OURS)
    rows = [
        [str(size), f"{quality:.3f}", f"{ssim_at(ours, size):.3f}"]
        for size, quality in zip(paper_sizes(paper, curve), curve["ssim"], strict=True)
        if size in ours["target_bytes"]
    ]
    return table(["Figure 5, bytes", "conv_lstm in the paper", f"{OURS} here"], rows)


def paper_sizes(paper: dict, curve: dict) -> list[int]:
    """The bytes of the points of a curve in figure 5."""
    step = paper["figure_5"]["bytes_between_points"]
    return [curve["first_bytes"] + step * number for number in range(len(curve["ssim"]))]


def measured_here(codec: str, thumbnails: dict, architectures: dict) -> dict:
    """A codec's lists: presets were measured together, apart from the classic codecs."""
    names = [entry["codec"] for entry in architectures["codecs"]]
    return points(architectures if codec in names else thumbnails, codec)


def draw_figure_5(thumbnails: dict, architectures: dict) -> None:
    """Draws the curves measured here over the paper's points."""
    paper = read_json("paper")
    figure = Figure(figsize=(5.6, 5.2), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for curve in paper["figure_5"]["curves"]:
        name, colour = curve["name"], curve["colour"]
        here = measured_here(curve["codec"], thumbnails, architectures)
        axes.plot(here["bytes"], here["ssim"], "o-", color=colour, label=f"{name}, here")
        sizes = paper_sizes(paper, curve)
        axes.plot(sizes, curve["ssim"], "x", color=colour, label=f"{name}, paper")
    axes.set(xlabel="bytes without headers", ylabel="SSIM", xticks=range(16, 129, 16))
    axes.set_title("conv_lstm and others here, and the paper's figure 5", fontsize=12)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False, columnspacing=0.8)
    save_figure(figure, FIGURE_FILE)


def all_architectures(paper: dict, thumbnails: dict, kodak: dict) -> str:
    """The presets of all architectures, on thumbnails and on Kodak."""
    targets = (16, 32, 64, 96, 128)
    names = [entry["codec"] for entry in thumbnails["codecs"]]
    rows = []
    for each in paper["table_1"]["rows"]:
        name = each.get("codec")
        if name not in names:
            continue
        manifest = find_model(name).read_manifest()
        size = sum(file.size_bytes for file in (*manifest.encoders, *manifest.decoders))
        codec_results = points(thumbnails, name)
        deltas = bd_rates(entry_of(kodak, name), kodak["references"][0], digits=0)
        rows.append(
            [
                each["name"],
                f"`{name}`",
                f"{size:,}",
                *(f"{ssim_at(codec_results, target):.3f}" for target in targets),
                *(delta for delta, _ in deltas),
            ]
        )
    sizes = [f"SSIM, {target} bytes" if target == 16 else str(target) for target in targets]
    head = ["architecture", "preset", "bytes of the model", *sizes]
    return table([*head, "Kodak: BD-rate, PSNR", "MS-SSIM"], rows)


def history(runs: dict, report: dict) -> str:
    """The levers one after the other, the last two as measured in the report."""
    targets = runs["bytes"]
    rows = [[row["name"], *(f"{ssim:.3f}" for ssim in row["ssim"])] for row in runs["rows"]]
    for what, name in (("with the entropy model", OURS), ("with `--effort 2`", SEARCHED)):
        codec_results = points(report, name)
        rows.append([what, *(f"{ssim_at(codec_results, target):.3f}" for target in targets)])
    return table(["", *(f"{target} bytes" for target in targets)], rows)


def ablations(runs: dict) -> str:
    """What other trainings ended with."""
    rows = [
        [
            row["name"],
            f"{row['loss']:.4f}",
            *(f"{ssim:.3f}" for ssim in row["ssim"]),
            *row["bd_rate"].values(),
        ]
        for row in runs["rows"]
    ]
    first, *others = map(str, runs["iterations"])
    head = ["", "loss", f"SSIM, iteration {first}", *others, "BD-rate, PSNR", "MS-SSIM"]
    return table(head, rows)


def ssim_at(codec_results: dict, target: int) -> float:
    """The SSIM of a codec's lists at a target."""
    return codec_results["ssim"][codec_results["target_bytes"].index(target)]


def modern_protocol(report: dict) -> str:
    """Quality at a few rates, BD-rates and areas."""
    rows = []
    for entry in report["codecs"]:
        at_bpp = entry["at_bpp"]
        shown = [
            "-" if quality is None else f"{quality:.4f}"
            for bpp, quality in zip(at_bpp["bpp"], at_bpp["msssim"], strict=True)
            if bpp <= 1
        ]
        area = f"{entry['area']['msssim']:.4f}"
        deltas = bd_rates(entry, report["references"][0], digits=1)
        rows.append(
            [entry["codec"], *shown, area, *(f"{delta}{between}" for delta, between in deltas)]
        )
    rates = [f"MS-SSIM at {bpp:g} bpp" for bpp in report["codecs"][0]["at_bpp"]["bpp"] if bpp <= 1]
    return table(["codec", *rates, "area to 2 bpp", "BD-rate, PSNR", "BD-rate, MS-SSIM"], rows)


def bd_rates(entry: dict, reference: str, digits: int) -> list[tuple[str, str]]:
    """A codec's BD-rates, for PSNR and for MS-SSIM, and the qualities that they are taken over."""
    deltas = [entry["bd_rate"][reference][metric] for metric in ("psnr", "msssim")]
    return [
        ("-", "")
        if delta is None
        else (
            f"{delta['percent']:+.{digits}f} %",
            f" ({delta['from']:.1f} to {delta['to']:.1f} dB)",
        )
        for delta in deltas
    ]


def strips(folder: str) -> str:
    """The pictures of the same image by every codec that are in a folder of results."""
    return "\n\n".join(
        f"![{path.stem.removeprefix('strip_')} by every codec]({path.relative_to(DOCS)})"
        for path in sorted((RESULTS / folder).glob("strip_*"))
    )


if __name__ == "__main__":
    main()
