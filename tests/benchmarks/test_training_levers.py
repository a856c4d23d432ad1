"""The comparison of trainings: each has its CPU time, and the report is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers.images import PHOTOS
from training_levers import bd_rates

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training_levers.py"


@pytest.mark.slow
def test_report(tmp_path):
    sides = {"native/train": 256, "native/val": 256, "thumbnails/train": 64, "thumbnails/val": 32}
    for name, side in sides.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for photo in PHOTOS.glob("*.png"):
            with Image.open(photo) as image:
                image.crop((0, 0, side, side)).save(folder / photo.name)
    report = tmp_path / "report.json"
    words = [tmp_path / "work", "--seconds", "4", "--lever", "bits32"]
    reports = []
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, SCRIPT, *words, "--json", report],
            env={**os.environ, "DATA": str(tmp_path / "data")},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        reports.append(json.loads(report.read_text()))
        base, bits32 = reports[-1]["levers"]
        assert base["cpu_seconds"] >= 4
        assert len(base["native_psnr"]) == len(base["thumbnails_ssim"]) == 5
        assert len(bits32["native_bpp"]) == 4
    assert reports[0]["levers"] == reports[1]["levers"]  # What is trained is kept.
    assert "32 bits, 4 iterations: " in result.stdout


def test_bits_for_the_same_quality():
    names = ("native", "thumbnails")
    base = {f"{name}_bpp": [0.5, 1, 2] for name in names}
    base |= {f"{name}_{each}": [30, 33, 36] for name in names for each in ("psnr", "ssim")}
    half = {**base, "native_bpp": [0.25, 0.5, 1], "thumbnails_ssim": [1, 2, 3]}
    deltas = bd_rates(half, base)
    assert deltas["native_psnr"] == deltas["native_ssim"] == pytest.approx(-50)
    assert deltas["thumbnails_psnr"] == 0
    assert deltas["thumbnails_ssim"] is None
