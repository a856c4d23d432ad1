"""The pipeline on Apache Beam."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.hostile_images import FAULT, PIXELS, bomb, damaged_tiff, reaches_libtiff
from helpers.thumbnails import BROKEN, write_thumbnails
from tfrnnc.images import read_image
from tfrnnc.pipelines import PackedImages, Shard, assign_to_shards, encode_shard, list_images
from tfrnnc.pipelines.shard_file import ShardFile

beam = pytest.importorskip("apache_beam")

import tfrnnc  # noqa: E402
from tfrnnc.pipelines.beam import PackImages, argument_parser, main, run, summarize  # noqa: E402

# The default runner would download a program first.
LOCAL = ["--runner", "FnApiRunner"]
TWO_PROCESSES = [*LOCAL, "--direct_running_mode", "multi_processing", "--direct_num_workers", "2"]
# How Flink and Spark are reached; "embed" is Beam's own job server, in this process.
PORTABLE = ["--runner", "PortableRunner", "--job_endpoint", "embed"]
PORTABLE += ["--environment_type", "LOOPBACK"]
SHARDS = 4
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")


@pytest.fixture
def reference(thumbnails, codec, tmp_path) -> Path:
    """The shards as they are made without Beam."""
    folder = tmp_path / "reference"
    options = tfrnnc.EncodeOptions(max_bytes=3)
    for number, items in enumerate(assign_to_shards(list_images(str(thumbnails)), SHARDS)):
        encode_shard(Shard(str(folder), number, SHARDS), items, codec, options)
    return folder


def arguments(source: Path, output: Path, model: Path, shards: int = SHARDS) -> list[str]:
    words = ["--input", source, "--output", output, "--model", model, "--shards", shards]
    return [*map(str, words), "--max-bytes", "3"]


@pytest.mark.parametrize(
    "runner",
    [LOCAL, TWO_PROCESSES, PORTABLE],
    ids=["one process", "two processes", "job server"],
)
def test_same_shards(thumbnails, model_folder, reference, contents, tmp_path, runner):
    words = [*arguments(thumbnails, tmp_path / "out", model_folder), *runner]
    counted = run(words)
    quality = counted.pop("psnr")
    assert counted == {
        "images": 60,
        "bytes": 180,
        "failures": len(BROKEN),
        "shards": SHARDS,
        "skipped_shards": 0,
    }
    assert 0 < quality["least"] < quality["mean"] < quality["greatest"]
    assert contents(tmp_path / "out") == contents(reference)
    if runner is not TWO_PROCESSES:
        again = run(words)
        assert (again["skipped_shards"], again["images"], again["psnr"]) == (SHARDS, 60, None)
        assert again["failures"] == len(BROKEN)


def test_in_a_pipeline_of_ones_own(noise, tmp_path):
    """Images that come as bytes or pixels, with what failed as an output, and empty shards."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.testing.util import assert_that, equal_to

    options = tfrnnc.EncodeOptions(max_bytes=16)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        images = pipeline | beam.Create([("good", noise(16, 16)), ("broken", b"?")])
        packed = images | PackImages(str(tmp_path), 3, options=options)
        assert_that(packed.failed | beam.Map(lambda each: each["key"]), equal_to(["broken"]))
        counts = packed.shards | beam.Map(lambda each: each["images"])
        assert_that(counts, equal_to([0, 0, 1]), "Counts")
    assert summarize(pipeline.result)["failures"] == 1
    assert list(PackedImages(tmp_path).keys()) == ["good"]


@reaches_libtiff
def test_bad_images_are_told_of_and_the_others_packed(
    thumbnails, model_folder, tmp_path, monkeypatch, capfd
):
    folder = tmp_path / "images"
    shutil.copytree(thumbnails / "sub", folder, ignore=shutil.ignore_patterns("cut.png"))
    damaged_tiff(folder / "damaged.tif")
    bomb(folder / "bomb.png")
    words = [*arguments(folder, tmp_path / "out", model_folder, shards=1), *TWO_PROCESSES]
    monkeypatch.setattr(sys, "argv", ["beam", *words])
    main()
    printed = capfd.readouterr()
    counted = json.loads(printed.out)
    assert (counted["images"], counted["failures"]) == (30, 2)
    assert "ZIPDecode" not in printed.err
    (path,) = tmp_path.glob("out/_failed-*")
    large, damaged = [json.loads(line)["error"] for line in path.read_text().splitlines()]
    assert f"bomb.png: the image has {PIXELS}" in large
    assert FAULT in damaged
    monkeypatch.setattr(sys, "argv", ["beam", *words, "--max-pixels", "255"])
    with pytest.raises(SystemExit) as ended:  # The shard there has another limit.
        main()
    assert ended.value.code == 1
    assert "with other options" in capfd.readouterr().err


def test_command(thumbnails, model_folder, image_folder, tmp_path, monkeypatch, capsys):
    words = arguments(thumbnails, tmp_path / "out", model_folder)
    monkeypatch.setattr(sys, "argv", ["beam", *words, *LOCAL])
    main()
    assert json.loads(capsys.readouterr().out)["images"] == 60
    monkeypatch.setattr(sys, "argv", ["beam", *words, "--psnr", "-1", *LOCAL])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: psnr must be")
    int8 = ["beam", "--input", str(image_folder), "--output", str(tmp_path / "int8")]
    int8 += ["--shards", "1", "--max-bytes", "64", "--arithmetic", "int8"]
    monkeypatch.setattr(sys, "argv", [*int8, *LOCAL])
    main()
    assert json.loads(capsys.readouterr().out)["images"] == 12
    codec = tfrnnc.load(threads=1, arithmetic="int8")
    for image in PackedImages(tmp_path / "int8"):
        pixels = read_image(image_folder / image.key)
        assert image.code == codec.encode(pixels, max_bytes=64, headerless=True, downscale=1)
    monkeypatch.setattr(sys, "argv", [*int8[:-2], *LOCAL])
    with pytest.raises(SystemExit) as ended:  # Not with the arithmetic of the shard there.
        main()
    assert ended.value.code == 1
    assert "encoded with the arithmetic int8, not float32" in capsys.readouterr().err
    half = ["beam", *arguments(thumbnails, tmp_path / "half", model_folder), "--downscale", "2"]
    monkeypatch.setattr(sys, "argv", [*half, *LOCAL])
    main()
    assert json.loads(capsys.readouterr().out)["images"] == 60
    assert {image.header.downscale for image in PackedImages(tmp_path / "half")} == {2}
    monkeypatch.setattr(sys, "argv", ["beam", *words, "--shards", "0"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


@pytest.mark.parametrize("runner", [LOCAL, PORTABLE], ids=["one process", "job server"])
def test_existing_shards_of_other_options(
    thumbnails, model_folder, contents, tmp_path, monkeypatch, capsys, runner
):
    """They are an error that names the shard, and are made again if that is asked for."""
    words = [*arguments(thumbnails, tmp_path / "out", model_folder), *runner]
    run(words)
    before = contents(tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["beam", *words, "--max-bytes", "4"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {tmp_path / 'out' / 'part-'}")
    assert "is there already" in error
    assert "--overwrite" in error
    assert contents(tmp_path / "out") == before
    counted = run([*words, "--max-bytes", "4", "--overwrite"])
    assert (counted["images"], counted["skipped_shards"]) == (60, 0)
    assert contents(tmp_path / "out").keys() == before.keys()
    shard = ShardFile(Shard(str(tmp_path / "out"), 0, SHARDS).path)
    assert shard.metadata.options["max_bytes"] == 4


def test_job_server_that_does_not_answer(thumbnails, model_folder, tmp_path):
    with socket.socket() as closed:
        closed.bind(("localhost", 0))
        endpoint = f"localhost:{closed.getsockname()[1]}"
    words = ["--runner", "PortableRunner", "--job_endpoint", endpoint, "--job_server_timeout", "1"]
    with pytest.raises(tfrnnc.PipelineError, match="check --job_endpoint"):
        run([*arguments(thumbnails, tmp_path / "out", model_folder), *words])
    assert not (tmp_path / "out").exists()


def test_failure_of_a_worker(thumbnails, model_folder, tmp_path, monkeypatch):
    """What is no error of tfrnnc's is reported by its last line."""
    monkeypatch.setattr("tfrnnc.pipelines.beam.encode_shard", fail)
    with pytest.raises(tfrnnc.PipelineError, match=r"failed \(.*worker without memory") as caught:
        run([*arguments(thumbnails, tmp_path / "out", model_folder), *PORTABLE])
    assert "Traceback" not in str(caught.value)


def fail(*_: object) -> None:
    raise MemoryError("worker without memory")


def kill_in_the_middle(words: list[str], output: Path, least: int) -> int:
    """Starts the pipeline and kills it, workers too, once some shards are there; how many are."""
    with (output.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tfrnnc.pipelines.beam", *words],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while len(list(output.glob("part-*"))) < least:
        assert process.poll() is None, (output.parent / "log").read_text()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(output.glob("part-*")))


@pytest.mark.slow
@posix
def test_ten_thousand_killed_and_run_again(model_folder, tmp_path):
    """Two worker processes: nothing lost, nothing twice."""
    number, shards = 10_000, 40
    write_thumbnails(tmp_path / "in", number)
    output = tmp_path / "out"
    words = [*arguments(tmp_path / "in", output, model_folder, shards), *TWO_PROCESSES]
    left = kill_in_the_middle(words, output, 5)
    assert 5 <= left < shards
    counted = run(words)
    assert left <= counted["skipped_shards"] < shards
    assert (counted["images"], counted["failures"]) == (number, len(BROKEN))
    assert counted["shards"] == shards
    keys = list(PackedImages(output).keys())
    expected = {f"{'sub/' if index % 2 else ''}{index:05d}.png" for index in range(number)}
    assert len(keys) == number
    assert set(keys) == expected
    lines = [line for path in output.glob("_failed-*") for line in path.read_text().splitlines()]
    assert sorted(json.loads(line)["key"] for line in lines) == sorted(BROKEN)
    decoded = tfrnnc.load(model_folder).decode(PackedImages(output)[-1].stream)
    assert decoded.shape == (16, 16, 3)


def test_options_in_the_document_are_those_of_beam():
    from apache_beam.options.pipeline_options import PipelineOptions

    text = (Path(__file__).parents[2] / "docs" / "DEPLOYMENT.md").read_text()
    lines = re.findall(r"python -m tfrnnc\.pipelines\.beam (.*)", text)
    lines += re.findall(r"`(--runner [^`]*)`", text)
    assert len(lines) >= 4
    for line in lines:
        words = ["--input", "a", "--output", "b", *line.split()]
        rest = argument_parser().parse_known_args(words)[1]
        names = {word.removeprefix("--") for word in rest if word.startswith("--")}
        assert names <= PipelineOptions(rest).get_all_options(drop_default=True).keys()
