"""The library call behind `tfrnnc-evaluate`; tests/cli/test_evaluate.py has the files it writes."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.images import PHOTOS
from tfrnnc.errors import ConfigError, DataError
from tfrnnc.evaluation import (
    CodecSpec,
    EvaluationOptions,
    EvaluationProtocol,
    RateCurve,
    evaluate,
    open_codec,
)
from tfrnnc.evaluation.measurement import picture_at, picture_of
from tfrnnc.metrics import psnr

PSNR = EvaluationProtocol("modern", ("psnr",))


@pytest.fixture
def folder(tmp_path):
    """Two images of different sizes."""
    with Image.open(PHOTOS / "chelsea.png") as photo:
        photo.crop((100, 60, 196, 124)).save(tmp_path / "a.png")
        photo.crop((0, 0, 48, 32)).save(tmp_path / "b.png")
    return tmp_path


def test_bd_rates_are_of_the_mean_points(folder):
    """What the tables show is what the points of all images give, the figures' points."""
    progress = []

    def note(what, results, total, kept):
        progress.append((what, total, kept))
        return results

    evaluation = evaluate(folder, ["webp"], PSNR, EvaluationOptions(jobs=1, progress=note))
    webp, jpeg = evaluation.report["codecs"]
    assert (webp["codec"], jpeg["codec"]) == ("webp", "jpeg")
    assert progress == [("measuring", 4, 0)]
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]
    pixels = np.array([96 * 64, 48 * 32])
    for entry, results in zip((webp, jpeg), evaluation.results, strict=True):
        sizes = np.array([result["bytes"] for result in results])
        expected = (8 * sizes / pixels[:, None]).mean(axis=0)
        np.testing.assert_allclose(entry["points"]["bpp"], expected, atol=1e-5)
        means = np.mean([result["psnr"] for result in results], axis=0)
        np.testing.assert_allclose(entry["points"]["psnr"], means, atol=1e-4)
    curves = [RateCurve(e["points"]["bpp"], e["points"]["psnr"]) for e in (webp, jpeg)]
    delta = curves[0].bd_rate(curves[1])
    assert webp["bd_rate"]["jpeg"]["psnr"] == {
        "percent": round(delta.percent, 3),
        "from": round(delta.low, 4),
        "to": round(delta.high, 4),
    }
    assert f"{delta.percent:+.1f} %" in evaluation.table()
    json.dumps(evaluation.report)


def test_references_of_choice(folder):
    options = EvaluationOptions(references=("webp", CodecSpec("avif", 9)), jobs=1)
    report = evaluate(folder, ["webp"], PSNR, options).report
    assert [entry["codec"] for entry in report["codecs"]] == ["webp", "avif@9"]
    assert report["references"] == list(report["codecs"][0]["bd_rate"]) == ["webp", "avif@9"]
    assert report["codecs"][0]["bd_rate"]["webp"]["psnr"]["percent"] == 0


@pytest.mark.parametrize(
    ("codecs", "protocol", "options", "message"),
    [
        ([], PSNR, {"references": ()}, "no codec is given"),
        (["nothing"], PSNR, {}, "nothing: none of conv_lstm_medium, "),
        ([CodecSpec("webp", 3)], PSNR, {}, "webp has no speeds or efforts"),
        (["jpeg"], PSNR, {"references": ("nothing",)}, "nothing: none of"),
        (
            ["jpeg"],
            EvaluationProtocol("paper", ("psnr",), (64,)),
            {"references": ("jpeg",)},
            "'paper' has no BD-rates",
        ),
    ],
)
def test_wrong_calls(folder, codecs, protocol, options, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(folder, codecs, protocol, EvaluationOptions(**options))


@pytest.mark.parametrize(
    "options", [{"strips": -1}, {"jobs": 0}, {"strip_bpp": 0.0}, {"strip_bpp": float("nan")}]
)
def test_wrong_options(options):
    with pytest.raises(ConfigError):
        EvaluationOptions(**options)


def test_no_images(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        evaluate(tmp_path, ["jpeg"], PSNR)


def test_codecs_of_reduced_images_are_measured_enlarged(folder):
    """The longer side counts, small images stay, and the strip has the image's size."""
    whole, reduced = (EvaluationProtocol("paper", ("psnr",), (100,), side) for side in (None, 48))
    large, small = evaluate(folder, ["webp"], reduced).results[0]
    assert evaluate(folder, ["webp"], whole).results[0][1]["psnr"] == small["psnr"]
    with Image.open(folder / "a.png") as image:
        pixels = np.asarray(image)
        least = np.asarray(image.resize((48, 32), Image.Resampling.LANCZOS))
    (coded,) = open_codec("webp").at_sizes(least, [100])
    shown = Image.fromarray(coded.picture).resize((96, 64), Image.Resampling.BICUBIC)
    assert large["psnr"] == [psnr(pixels, np.asarray(shown))]
    assert large["bytes"] == [coded.size]
    picture = picture_of(picture_at(open_codec("webp"), pixels, reduced, 100))
    np.testing.assert_array_equal(picture, np.asarray(shown))
    with pytest.raises(ConfigError, match="reduced_side"):
        EvaluationProtocol("paper", ("psnr",), (100,), 0)
