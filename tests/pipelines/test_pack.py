"""`tfrnnc-pack`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import tfrnnc
from helpers.commands import wait_for_end_of_group
from helpers.thumbnails import BROKEN
from tfrnnc.cli.pack import main
from tfrnnc.images import read_image
from tfrnnc.model_folder.presets import DEFAULT_PRESET
from tfrnnc.pipelines import PackedImages
from tfrnnc.pipelines.shard_file import ShardFile


@pytest.fixture
def pack(model_folder, tmp_path, monkeypatch):
    """Runs the command in an empty folder with the tiny model; returns click's result."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words, code=0, **settings):
        options = ["--model", str(model_folder), "--max-bytes", "3", "--jobs", "1"]
        words = [*options, *map(str, words)]
        result = CliRunner().invoke(main, words, **settings)
        assert code in (result.exit_code, None), result.output
        assert "Traceback" not in result.output
        return result

    return invoke


def test_folder(pack, thumbnails, good_keys, tmp_path):
    result = pack(thumbnails, "-o", "out", "--shards", 3, "--json", code=1)
    report = json.loads(result.stdout)
    assert (report["shards"], report["skipped_shards"]) == (3, 0)
    assert (report["images"], report["encoded"], report["failures"]) == (60, 60, len(BROKEN))
    assert report["bytes"] == 180
    assert report["psnr"] > 0
    assert f"{len(BROKEN)} images could not be packed" in result.stderr
    assert set(PackedImages("out").keys()) == good_keys
    lines = [
        json.loads(line)
        for path in tmp_path.glob("out/_failed-*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert {line["key"] for line in lines} == set(BROKEN)

    again = json.loads(pack(thumbnails, "-o", "out", "--shards", 3, "--json", code=1).stdout)
    assert (again["skipped_shards"], again["encoded"], again["psnr"]) == (3, 0, None)
    assert (again["images"], again["bytes"], again["failures"]) == (60, 180, len(BROKEN))
    text = pack(thumbnails, "-o", "out", "--shards", 3, "--overwrite", code=1).stdout
    assert text.startswith("out: 60 images in 3 shards, 180 bytes of code, PSNR ")
    assert pack(thumbnails, "-o", "out", "--shards", 3, "-q", code=1).stdout == ""


def test_arithmetic(pack, image_folder):
    """Of the default preset; the images decode to what its 8-bit arithmetic encoded."""
    words = [image_folder, "--model", DEFAULT_PRESET, "--max-bytes", 64]
    for arithmetic in ("float32", "int8"):
        pack(*words, "-o", arithmetic, "--arithmetic", arithmetic)
        codec = tfrnnc.load(threads=1, arithmetic=arithmetic)
        for packed in PackedImages(arithmetic):
            image = read_image(image_folder / packed.key)
            expected = codec.encode(image, max_bytes=64, headerless=True, downscale=1)
            assert packed.code == expected
        assert (
            ShardFile(f"{arithmetic}/part-00000-of-00001.parquet").metadata.arithmetic == arithmetic
        )
    told = pack(*words, "-o", "int8", code=1).stderr
    assert "encoded with the arithmetic int8, not float32" in told
    assert told.endswith("give the same arithmetic, another folder, or --overwrite\n")
    codes = [[each.code for each in PackedImages(name)] for name in ("float32", "int8")]
    assert codes[0] != codes[1]
    told = pack(*words, "-o", "k", "--arithmetic", "int8", "--runtime", "keras", code=2).stderr
    assert "--arithmetic int8 is LiteRT's" in told


def test_list(pack, thumbnails, good_keys):
    """From a file, and from standard input; a line that comes twice is one image."""
    lines = [str(thumbnails / key) for key in sorted(good_keys)]
    text = "\r\n".join([*lines, "", lines[0]])
    Path("list.txt").write_text(text, newline="")
    assert "60 images in 1 shards" in pack("list.txt", "-o", "one").stdout
    pack("-", "-o", "two", input=text)
    assert list(PackedImages("one").keys()) == lines
    assert list(PackedImages("one")) == list(PackedImages("two"))


def test_tasks_and_processes_change_nothing(pack, thumbnails, contents):
    words = [thumbnails, "--shards", 5]
    pack(*words, "-o", "whole", code=1)
    pack(*words, "-o", "processes", "--jobs", 2, code=1)
    seen = []
    for index in range(3):
        task = ("--task-count", 3, "--task-index", index)
        seen.append(json.loads(pack(*words, "-o", "tasks", *task, "--json", code=None).stdout))
    assert [each["shards"] for each in seen] == [2, 2, 1]
    assert sum(each["images"] for each in seen) == 60
    assert contents(Path("whole")) == contents(Path("processes")) == contents(Path("tasks"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task-count", "2"], "given together"),
        (["--task-count", "2", "--task-index", "2"], "below --task-count"),
        (["--psnr", "nan"], "finite"),
        (["--iterations", "9"], "from 1 to 3"),
        (["--background", "nothing"], "colour"),
        (["--shards", "0"], "x>=1"),
    ],
)
def test_wrong_usage(pack, thumbnails, words, message):
    assert message in pack(thumbnails, "-o", "out", *words, code=2).stderr
    assert not Path("out").exists()


def test_what_cannot_be_done(pack, thumbnails, monkeypatch):
    assert "no images" in pack(".", "-o", "out", code=1).stderr
    assert "missing: cannot be read" in pack("missing", "-o", "out", code=1).stderr
    pack(thumbnails, "-o", "out", code=1)
    result = pack(thumbnails, "-o", "out", "--max-bytes", 2, code=1)
    assert result.stderr.endswith("give another folder, or --overwrite\n")
    Path("file").touch()
    assert "cannot be written" in pack(thumbnails, "-o", "file", code=1).stderr
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "pip install 'tfrnnc[shards]'" in pack(thumbnails, "-o", "new", code=1).stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_and_run_again(pack, model_folder, thumbnails, contents, tmp_path):
    """Its processes end with it, and the shards are those of a run that was not killed."""
    options = ["--shards", "60", "--effort", "8"]
    program = "import sys; from tfrnnc.cli.pack import main; main(sys.argv[1:])"
    words = ["--model", model_folder, "--max-bytes", "3", "--jobs", "2", *options, "-o", "out"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, thumbnails, *words], cwd=tmp_path, start_new_session=True
    )
    while not list(tmp_path.glob("out/*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for_end_of_group(process.pid)
    left = len(list(tmp_path.glob("out/*.parquet")))
    report = json.loads(pack(thumbnails, *options, "-o", "out", "--json", code=1).stdout)
    assert report["skipped_shards"] == left < 60
    pack(thumbnails, *options, "-o", "undisturbed", code=1)
    found = {name: data for name, data in contents(Path("out")).items() if name[0] != "."}
    assert found == contents(Path("undisturbed"))
