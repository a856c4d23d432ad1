"""The library call behind `tfrnnc-evaluate`; tests/cli/test_evaluate.py has the files it writes."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.images import PHOTOS
from tfrnnc.errors import ConfigError, DataError
from tfrnnc.evaluation import CodecSpec, EvaluationOptions, EvaluationProtocol, RateCurve, evaluate

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
