"""Writes docs/RESULTS.md from what `make results` measured in docs/results/."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tfrnnc.evaluation.plots import save_figure
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.model_folder.presets import model_folder

DOCS = Path(__file__).parent
OURS, SEARCHED = "conv_lstm_small", "conv_lstm_small@2"
#: The preset of each of the paper's architectures.
PRESETS = {
    "fc, shared weights": "fc_small_shared",
    "fc, distinct": "fc_small",
    "fc_lstm": "fc_lstm_small",
    "conv, shared": "conv_small_shared",
    "conv, distinct": "conv_small",
    "conv_lstm": OURS,
}
#: Table 1 of Toderici et al. (ICLR 2016), SSIM at 64 and 128 bytes.
PAPER_TABLE = {
    "JPEG (72.5 and 133 bytes)": (0.70, 0.80),
    "JPEG 2000 (73 and 156 bytes)": (0.66, 0.77),
    "WebP (80.7 and 128.2 bytes)": (0.62, 0.73),
    "fc, shared weights": (0.46, 0.48),
    "fc, distinct": (0.65, 0.75),
    "fc_lstm": (0.69, 0.81),
    "conv, shared": (0.45, 0.46),
    "conv, distinct": (0.65, 0.75),
    "conv autoencoder, one fixed rate": (0.76, 0.86),
    "conv_lstm": (0.77, 0.87),
}
#: Figure 5 of the same up to 1 bpp: SSIM from so many bytes on, at every 16 (0.125 bpp).
PAPER_FIGURE = {
    "conv_lstm": (16, (0.507, 0.650, 0.722, 0.774, 0.810, 0.834, 0.855, 0.871)),
    "fc_lstm": (16, (0.407, 0.572, 0.646, 0.700, 0.741, 0.773, 0.798, 0.811)),
    "JPEG": (48, (0.678, 0.716, 0.751, 0.778, 0.800, 0.818)),
    "WebP": (80, (0.697, 0.763, 0.808, 0.840)),
}
#: What is drawn beside each of them, and in which colour.
BESIDE = {
    "conv_lstm": (OURS, "#D55E00"),
    "fc_lstm": ("fc_lstm_small", "#000000"),
    "JPEG": ("jpeg", "#E69F00"),
    "WebP": ("webp", "#009E73"),
}
FIGURE_FILE = DOCS / "results" / "figure_5.png"

INTRODUCTION = """\
Made by `make results` from `docs/results/`; [EVALUATION.md](EVALUATION.md) says how codecs are
measured. `@2` is with `--effort 2`. Models are trained neither on the thumbnails nor on the Kodak
photos; the thumbnails chose the best checkpoint of the preset, which is slightly favourable."""

#: SSIM at 16, 32, 64 and 128 bytes of the default preset's weights on their way, as their model
#: cards told it: of 8-bit files, without entropy coding. The second was not kept.
HISTORY = {
    "12,000 batches for the squared error, the paper's loss": (0.502, 0.645, 0.756, 0.826),
    "and 3,000 more for it": (0.502, 0.645, 0.756, 0.828),
    "and 3,000 more at `--ssim-weight 0.1`": (0.559, 0.683, 0.780, 0.843),
    "and 5,000 more at 0.2, with 10 iterations instead of 8": (0.579, 0.696, 0.788, 0.860),
}

WHAT_HELPED = """\
What each change brought, in SSIM on the thumbnails. The lines up to the entropy model are one
training, in order: a change and the batches that it came with are not told apart, except by the
second line, which says that batches alone would have brought little by then. Each is one run with
one seed."""

AFTER_HISTORY = """\
PSNR did not suffer: it was 23.58 dB at 128 bytes after the first line, and is 23.97 dB with the
entropy model. Training for fewer iterations first is quicker
([TRAINING_SPEED.md](TRAINING_SPEED.md)); the preset was trained before that was known.

### What else was tried

From the start, for 8 iterations, with `--ssim-weight 0.2 --learning-rate 2e-3` and the data of
`make preset`; one run each. Loss and SSIM are those of the validation patches, whole iterations
without an entropy model. BD-rates are those of the 16 photos of `photos/val`, whole files, against
the first line."""

#: Validation loss; SSIM after iterations 1, 2, 4 and 8; BD-rates for PSNR and MS-SSIM, where
#: measured.
ABLATIONS = {
    "`small`, 1,500 batches": (0.0886, (0.561, 0.672, 0.746, 0.779), ("0", "0")),
    "the same from another seed": (0.0896, (0.563, 0.672, 0.744, 0.773), ("", "")),
    "the same for 2,085 batches": (0.0841, (0.567, 0.676, 0.758, 0.802), ("-7.5 %", "-6.3 %")),
    "hidden kernels of 3x3": (0.0847, (0.567, 0.678, 0.755, 0.801), ("-6.7 %", "-5.5 %")),
    "hard patches": (0.0879, (0.565, 0.672, 0.749, 0.781), ("+0.2 %", "+0.5 %")),
    "priming": (0.0911, (0.572, 0.678, 0.738, 0.758), ("", "")),
}

AFTER_ABLATIONS = """\
- Hidden kernels of 3x3 (`conv_lstm 3x3/128 h3`) instead of 1x1 learn more from each batch, but take
  1.39 times as long to train, 2.3 times the multiplications and 2.1 times the bytes. The small
  layout, trained for as long (the third line), does as well, so they were left.
- Hard patches: of four cut out of an image the one was taken that is the hardest to compress
  without loss. Thumbnails gain no more than from another seed and photos nothing, so it was not
  kept.
- Priming: two more passes of the encoder on the image before its first bits, and of the decoder on
  these before its first picture, a quarter more work. The first two iterations gain, the others
  lose more, so it was not kept. After a long training it might be otherwise."""

ARCHITECTURES = """\
Every one in its `small` layout, by the [recipes of the presets](MODELS.md). The thumbnails' figures
are by the paper's protocol, those of Kodak of whole files, their BD-rate against JPEG. `conv_lstm`
alone has an entropy model, which is worth 2 % of the bytes at 128, and was trained for longer."""

ADAPTIVE = """\
All locations of an image take the same iterations here. With `--adaptive` they do not, and
`conv_lstm_small` saves 11 to 20 % of the bytes at the same PSNR in the middle of its range
([ADAPTIVE_BITS.md](ADAPTIVE_BITS.md))."""

MISSING = """\
The models are smaller than the paper's, `conv_lstm` at a hundredth of its work, and trained on
8,416 images, where the paper had 216 million."""


def main() -> None:
    """Writes the page, and the figure that is not the evaluation's."""
    draw_figure_5(read("thumbnails"), read("architectures"))
    (DOCS / "RESULTS.md").write_text(page())


def page() -> str:
    """The page's text."""
    thumbnails, architectures, kodak = map(read, ("thumbnails", "architectures", "kodak"))
    parts = [
        "# Results",
        INTRODUCTION,
        "## Thumbnails of 32x32 pixels, the paper's protocol",
        f"{thumbnails['images']} images of `{thumbnails['data']}`, headers not counted; the "
        "classic codecs take the smallest file not under the size, so that they have the advantage "
        "in bytes.",
        paper_protocol(thumbnails),
        equal_quality(thumbnails),
        "![SSIM by bytes](results/thumbnails/curve_ssim.png)",
        "![PSNR by bytes](results/thumbnails/curve_psnr.png)",
        "### Beside the paper's figures",
        "The paper measured on its own thumbnails, so that only the distances within a column can "
        "be compared, not the columns.",
        beside_the_paper(thumbnails, architectures),
        f"![Figure 5 of the paper with the curves here]({FIGURE_FILE.relative_to(DOCS)})",
        "### The same bytes",
        *strips("thumbnails"),
        "## Kodak, whole files",
        f"The {kodak['images']} photos of 768x512 pixels, every byte counted. BD-rate is "
        f"against `{kodak['anchor']}`: below zero, fewer bits for the same quality.",
        modern_protocol(kodak),
        ADAPTIVE,
        "![MS-SSIM by rate](results/kodak/curve_msssim.png)",
        "![PSNR by rate](results/kodak/curve_psnr.png)",
        "### The same bytes",
        *strips("kodak"),
        "## The paper's architectures",
        ARCHITECTURES,
        all_architectures(architectures, read("kodak_architectures")),
        "![SSIM by bytes](results/architectures/curve_ssim.png)",
        "![MS-SSIM by rate on Kodak](results/kodak_architectures/curve_msssim.png)",
        *strips("architectures"),
        "## What helped",
        WHAT_HELPED,
        what_helped(thumbnails),
        AFTER_HISTORY,
        ablations(),
        AFTER_ABLATIONS,
        "## What is missing",
        MISSING,
    ]
    return "\n\n".join(parts) + "\n"


def read(folder: str) -> dict:
    """The results in a folder."""
    return json.loads((DOCS / "results" / folder / "results.json").read_text())


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
    return "At equal SSIM (between the sizes on straight lines):\n\n" + table(
        ["codec", "at 64 bytes", "at 128 bytes"], rows
    )


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


def beside_the_paper(report: dict, architectures: dict) -> str:
    """Table 1 and a line of figure 5 beside the same here."""
    classic = {
        "JPEG (72.5 and 133 bytes)": "jpeg",
        "JPEG 2000 (73 and 156 bytes)": "jpeg2000",
        "WebP (80.7 and 128.2 bytes)": "webp",
    }
    rows = []
    for name, (first, second) in PAPER_TABLE.items():
        row = [name, f"{first:.2f}", f"{second:.2f}", "", ""]
        codec_results = None
        if name in classic:
            codec_results = points(report, classic[name])
        elif name in PRESETS:
            codec_results = points(architectures, PRESETS[name])
        if codec_results:
            row[3:] = [f"{ssim_at(codec_results, target):.3f}" for target in (64, 128)]
        rows.append(row)
    head = ["Table 1, SSIM", "paper, 64 bytes", "paper, 128", "here, 64", "here, 128"]
    ours = points(report, OURS)
    figure = [
        [str(target), f"{quality:.3f}", f"{ssim:.3f}"]
        for target, quality, ssim in zip(
            ours["target_bytes"], PAPER_FIGURE["conv_lstm"][1], ours["ssim"], strict=False
        )
    ]
    return (
        table(head, rows)
        + "\n\n"
        + table(["Figure 5, bytes", "conv_lstm in the paper", f"{OURS} here"], figure)
    )


def draw_figure_5(thumbnails: dict, architectures: dict) -> None:
    """Draws the curves measured here over the paper's points."""
    figure = Figure(figsize=(5.6, 5.2), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for name, (first, qualities) in PAPER_FIGURE.items():
        codec, colour = BESIDE[name]
        report = thumbnails if codec in ("jpeg", "webp") else architectures
        here = points(report, codec)
        axes.plot(here["bytes"], here["ssim"], "o-", color=colour, label=f"{name}, here")
        sizes = first + 16 * np.arange(len(qualities))
        axes.plot(sizes, qualities, "x", color=colour, label=f"{name}, paper")
    axes.set(xlabel="bytes without headers", ylabel="SSIM", xticks=range(16, 129, 16))
    axes.set_title("conv_lstm and others here, and the paper's figure 5", fontsize=12)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False, columnspacing=0.8)
    save_figure(figure, FIGURE_FILE)


def all_architectures(thumbnails: dict, kodak: dict) -> str:
    """The presets of all architectures, on thumbnails and on Kodak."""
    targets = (16, 32, 64, 96, 128)
    rows = []
    for architecture, name in PRESETS.items():
        manifest = Manifest.read(model_folder(name))
        size = sum(file.size_bytes for file in (*manifest.encoders, *manifest.decoders))
        codec_results = points(thumbnails, name)
        rows.append(
            [
                architecture,
                f"`{name}`",
                f"{size:,}",
                *(f"{ssim_at(codec_results, target):.3f}" for target in targets),
                *bd_rates(entry_of(kodak, name), digits=0),
            ]
        )
    sizes = [f"SSIM, {target} bytes" if target == 16 else str(target) for target in targets]
    head = ["architecture", "preset", "bytes of the model", *sizes]
    return table([*head, "Kodak: BD-rate, PSNR", "MS-SSIM"], rows)


def what_helped(report: dict) -> str:
    """The levers one after the other, the last two as measured in the report."""
    targets = (16, 32, 64, 128)
    rows = [[what, *(f"{ssim:.3f}" for ssim in values)] for what, values in HISTORY.items()]
    for what, name in (("with the entropy model", OURS), ("with `--effort 2`", SEARCHED)):
        codec_results = points(report, name)
        rows.append([what, *(f"{ssim_at(codec_results, target):.3f}" for target in targets)])
    return table(["", *(f"{target} bytes" for target in targets)], rows)


def ablations() -> str:
    """What other trainings ended with."""
    rows = [
        [what, f"{loss:.4f}", *(f"{ssim:.3f}" for ssim in values), *bd_rates]
        for what, (loss, values, bd_rates) in ABLATIONS.items()
    ]
    head = ["", "loss", "SSIM, iteration 1", "2", "4", "8", "BD-rate, PSNR", "MS-SSIM"]
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
        rows.append([entry["codec"], *shown, area, *bd_rates(entry, digits=1)])
    rates = [f"MS-SSIM at {bpp:g} bpp" for bpp in report["codecs"][0]["at_bpp"]["bpp"] if bpp <= 1]
    return table(["codec", *rates, "area to 2 bpp", "BD-rate, PSNR", "BD-rate, MS-SSIM"], rows)


def bd_rates(entry: dict, digits: int) -> list[str]:
    """A codec's BD-rates, for PSNR and for MS-SSIM."""
    percents = [entry["bd_rate"][metric]["percent"] for metric in ("psnr", "msssim")]
    return ["-" if each is None else f"{each:+.{digits}f} %" for each in percents]


def strips(folder: str) -> list[str]:
    """The pictures of the same image by every codec that are in a folder of results."""
    return [
        f"![{path.stem.removeprefix('strip_')} by every codec]({path.relative_to(DOCS)})"
        for path in sorted((DOCS / "results" / folder).glob("strip_*"))
    ]


if __name__ == "__main__":
    main()
