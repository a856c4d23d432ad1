"""The benchmark of half the resolution, on a small photo."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]


def test_all_ways_are_measured(tmp_path):
    with Image.open(ROOT / "examples" / "photos" / "coffee.png") as photo:
        photo.crop((100, 100, 420, 420)).save(tmp_path / "photo.png")
    script = ROOT / "benchmarks" / "half_resolution.py"
    result = subprocess.run(
        [sys.executable, script, tmp_path, "--bpp", "0.06,0.5"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    low, high = (
        [float(number) for number in re.findall(r"[\d.]+", row)]
        for row in result.stdout.splitlines()[2:]
    )
    assert [low[0], high[0]] == [0.06, 0.5]
    assert low[2] > low[1] + 1  # Half the resolution pays at a low rate,
    assert high[1] > high[2] + 1  # and costs at a high one,
    assert (low[3], high[3]) == (low[2], high[1])  # which auto knows.
    assert (low[7], high[7]) == (100, 0)
