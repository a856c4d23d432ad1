import json

from click.testing import CliRunner
from PIL import Image

import compression


def test_the_default_preset_is_optimised_and_quantised(noise, tmp_path):
    """Its Keras weights are in another package than its TFLite files."""
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(noise(32, 32)).save(images / "noise.png")
    words = ["--images", images, "--fine-tune-steps", 0, "--work", tmp_path / "work"]
    words += ["--optimize", "none", "--optimize", "cluster:4", "--quantize", "weights"]
    words += ["--json", tmp_path / "rows.json", "--markdown"]
    result = CliRunner().invoke(compression.main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    plain, clustered = json.loads((tmp_path / "rows.json").read_text())
    assert (plain["optimize"], clustered["optimize"]) == ("none", "cluster")
    assert clustered["gzip"] < plain["gzip"]
    assert clustered["lost_mean"] > plain["lost_mean"]
    assert len([line for line in result.output.splitlines() if line.startswith("| ")]) == 3
