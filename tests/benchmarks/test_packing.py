"""The measuring script runs and its report is whole. Nothing is timed here."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import packing
from marked_part import markers
from packing import Times, rows


def test_report(image_folder, tmp_path):
    page, report = tmp_path / "page.md", tmp_path / "report.json"
    begin, end = markers("packing.py")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    words = [image_folder, "--images", 20, "--processes", 2, "--rounds", 1]
    words += ["--markdown", page, "--json", report]
    result = CliRunner().invoke(packing.main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert [row["processes"] for row in json.loads(report.read_text())["pack"]] == [1, 2]
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("| `encode_shard` | ") == 2


def test_share_of_the_ideal():
    measured = [{1: Times(10, 10), 2: Times(8, 12)}, {1: Times(20, 20), 2: Times(8, 12)}]
    one, two = rows(100, measured)
    assert one["images_per_second"] == pytest.approx(7.5)
    assert one["share"] == 1
    assert two["images_per_second"] == pytest.approx(12.5)
    assert two["images_per_cpu_second"] == pytest.approx(8.3)
    assert two["share"] == pytest.approx(12.5 / 15, abs=1e-3)
