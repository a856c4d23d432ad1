"""Data sets are fetched whole or not at all; against a server on localhost."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import download
import get_data
from helpers.images import PHOTOS


class Home:
    """A server whose files, faults and requests a test sees.

    Attributes:
        files: what is served, by path.
        cut: at how many bytes the next answers for a path end too early, one after the other.
        busy: how many more times everything is answered with 503.
        requests: path and range of each request.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, list[int]] = {}
        self.busy = 0
        self.requests: list[tuple[str, str | None]] = []
        home = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                home.answer(self)

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        content = self.files.get(handler.path)
        if self.busy or content is None:
            handler.send_error(503 if self.busy else 404)
            self.busy = max(0, self.busy - 1)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and start >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        ends = self.cut.get(handler.path)
        handler.wfile.write(content[start : ends.pop(0) if ends else None])


@pytest.fixture
def home(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    home = Home()
    yield home
    home.server.shutdown()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def archive(train: int, val: int) -> bytes:
    """A small Tiny ImageNet."""
    file = io.BytesIO()
    random = np.random.default_rng(0)
    with zipfile.ZipFile(file, "w") as archive:
        for part, number in (("train", train), ("val", val)):
            for index in range(number):
                image = io.BytesIO()
                pixels = random.integers(0, 256, (64, 64, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(image, "JPEG")
                archive.writestr(f"tiny/{part}/images/{index:03}.JPEG", image.getvalue())
    return file.getvalue()


@pytest.fixture
def manifest(home, tmp_path):
    """A set of each kind, as tools/data.json has them."""
    with Image.open(PHOTOS / "coffee.png") as image:
        photo = np.asarray(image.convert("RGB"))
    pictures = [photo[:40, :60], photo[40:80, :60]]
    for number, pixels in enumerate(pictures):
        home.files[f"/{number}.png"] = png(pixels)
    home.files["/photo.png"] = png(photo[:96, :128])
    home.files["/tiny.zip"] = archive(20, 10)
    half = np.asarray(Image.fromarray(photo[:96, :128]).resize((64, 48), Image.Resampling.BOX))
    crops = [
        [f"{home.url}/photo.png", photo[:96, :128], (128, 96), "crops/1.jpg", 16, 32],
        [f"{home.url}/photo.png", half, (64, 48), "crops/2.jpg", 8, 4],
    ]
    content = {
        "sets": {
            "pictures": {
                "kind": "files",
                "about": "two pictures",
                "licence": "CC0",
                "home": home.url,
                "files": [
                    {
                        "url": f"{home.url}/{number}.png",
                        "target": f"pictures/{number}.png",
                        "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
                    }
                    for number, pixels in enumerate(pictures)
                ],
            },
            "crops": {
                "kind": "crops",
                "about": "parts of photos",
                "licence": "CC0",
                "home": home.url,
                "crop": [32, 32],
                "quality": 95,
                "sources": [
                    {"url": url, "size": size, "crops": [[name, x, y, means(pixels, x, y)]]}
                    for url, pixels, size, name, x, y in crops
                ],
            },
            "thumbnails": {
                "kind": "tiny-imagenet",
                "about": "thumbnails",
                "licence": "research",
                "home": home.url,
                "url": f"{home.url}/tiny.zip",
                "md5": hashlib.md5(home.files["/tiny.zip"]).hexdigest(),
                "train": 8,
                "val": 5,
            },
        },
        "without_a_home": {"old": "nobody knows"},
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    return path


def means(pixels: np.ndarray, left: int, top: int) -> str:
    grey = np.asarray(Image.fromarray(pixels[top : top + 32, left : left + 32]).convert("L"))
    parts = grey.reshape(4, 8, 4, 8).mean(axis=(1, 3)).round().astype(np.uint8)
    return parts.tobytes().hex()


@pytest.fixture
def run(manifest, tmp_path):
    def invoke(*words, code=0):
        arguments = [*words, "--folder", str(tmp_path / "data"), "--manifest", str(manifest)]
        result = CliRunner().invoke(get_data.main, arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


TEXTS = {".md", ".py", ".sh", ".json"}
EVERYTHING = [
    *("crops/1.jpg", "crops/2.jpg", "pictures/0.png", "pictures/1.png"),
    *(f"thumbnails/train/{number:05}.jpg" for number in range(1, 9)),
    *(f"thumbnails/val/{number:04}.png" for number in range(1, 6)),
]


def test_fetches_everything_once(home, run, tmp_path):
    output = run().output
    assert "pictures: two pictures\n  licence: CC0" in output
    data = tmp_path / "data"
    assert files_of(data) == EVERYTHING
    assert not (data / get_data.PARTIAL).exists()
    assert (data / "pictures" / "0.png").read_bytes() == home.files["/0.png"]
    with Image.open(data / "crops" / "1.jpg") as crop:
        assert crop.size == (32, 32)
    with Image.open(data / "thumbnails" / "val" / "0001.png") as small:
        assert small.size == (32, 32)
    with zipfile.ZipFile(io.BytesIO(home.files["/tiny.zip"])) as files:
        expected = files.read("tiny/train/images/005.JPEG")  # 20 * 2 // 8
    assert (data / "thumbnails" / "train" / "00003.jpg").read_bytes() == expected
    home.requests.clear()
    run()
    assert home.requests == []


def test_goes_on_where_a_file_was_cut(home, run, tmp_path):
    size = len(home.files["/tiny.zip"])
    home.cut["/tiny.zip"] = [1000, size // 2]
    run("thumbnails")
    assert [wanted for _, wanted in home.requests] == [None, "bytes=1000-", f"bytes={size // 2}-"]
    assert len(files_of(tmp_path / "data")) == 13


def test_goes_on_in_another_run(home, run, tmp_path, monkeypatch):
    home.cut["/tiny.zip"] = [1000] * 4
    monkeypatch.setattr(download, "TRIES", 1)
    assert "1,000 of" in run("thumbnails", code=1).output
    assert not (tmp_path / "data" / "thumbnails").exists()
    home.cut.clear()
    run("pictures")
    run("thumbnails")
    assert home.requests[-1] == ("/tiny.zip", "bytes=1000-")
    assert len(files_of(tmp_path / "data" / "thumbnails")) == 13


def test_waits_for_a_busy_server(home, run):
    home.busy = 2
    run("pictures")
    assert len(home.requests) == 4


def test_what_fails_is_named_and_the_rest_is_kept(home, run, tmp_path):
    del home.files["/0.png"]
    home.files["/photo.png"] = home.files["/1.png"]
    output = run(code=1).output
    assert "3 could not be had" in output
    assert f"{home.url}/0.png: 404" in output
    assert f"{home.url}/photo.png: the photo has changed: 60x40 pixels" in output
    assert "the same command tries the others again" in output
    kept = files_of(tmp_path / "data")
    assert kept == [name for name in EVERYTHING if name[:5] != "crops" and "/0.png" not in name]


def test_other_pictures_are_refused(home, run, tmp_path):
    """Of the right size, but of other pixels."""
    home.files["/0.png"] = home.files["/1.png"]
    with Image.open(io.BytesIO(home.files["/photo.png"])) as photo:
        home.files["/photo.png"] = png(255 - np.asarray(photo))
    home.files["/tiny.zip"] = archive(20, 11)
    output = run(code=1).output
    assert "0.png: not the picture that the manifest names" in output
    assert "its part crops/1.jpg is not what it was" in output
    assert "its MD5 differs" in output
    assert files_of(tmp_path / "data") == ["pictures/1.png"]


def test_what_is_no_picture_is_refused(home, run, tmp_path):
    home.files["/0.png"] = home.files["/photo.png"] = b"<html>Please log in</html>"
    output = run("pictures", "crops", code=1).output
    assert "no image that can be read" in output
    assert files_of(tmp_path / "data") == ["pictures/1.png"]


def test_damaged_files_are_fetched_again(home, run, tmp_path):
    run()
    data = tmp_path / "data"
    for name in ("pictures/0.png", "crops/1.jpg"):
        (data / name).write_bytes(b"damaged")
    (data / "thumbnails" / "val" / "0001.png").unlink()
    home.requests.clear()
    output = run(code=1).output
    assert "thumbnails: has other files; remove it" in output
    assert {path for path, _ in home.requests} == {"/0.png", "/photo.png"}
    assert (data / "pictures" / "0.png").read_bytes() == home.files["/0.png"]


def test_no_server(home, run, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 2)
    home.server.shutdown()
    home.server.server_close()
    output = run("pictures", code=1).output
    assert "2 could not be had" in output
    assert "see that you are online" in output
    assert files_of(tmp_path / "data") == []


def test_list(home, run):
    output = run("--list").output
    assert "crops: parts of photos\n" in output
    assert "Without a public home:\n  old: nobody knows" in output
    assert home.requests == []


def test_unknown_set(run):
    assert "nothing: none of pictures, crops, thumbnails" in run("nothing", code=2).output


@pytest.mark.parametrize("target", ["../outside.png", "/tmp/outside.png"])
def test_files_stay_in_the_folder(run, manifest, target):
    content = json.loads(manifest.read_text())
    content["sets"]["pictures"]["files"][0]["target"] = target
    manifest.write_text(json.dumps(content))
    assert "outside of the folder" in run("pictures", code=1).output


def test_manifest():
    """Every file has an address, a target of its own, a licence and something to know it by."""
    content = json.loads(get_data.MANIFEST.read_text())
    targets = []
    for one in content["sets"].values():
        assert one["kind"] in get_data.KINDS
        assert all(one[what] for what in ("about", "licence", "home"))
        for entry in one.get("files", []):
            targets.append(entry["target"])
            assert entry["url"].startswith("https://")
            assert len(bytes.fromhex(entry["pixels_sha256"])) == 32
        for source in one.get("sources", []):
            assert source["url"].startswith("https://")
            assert source["licence"]
            width, height = source["size"]
            for target, left, top, values in source["crops"]:
                targets.append(target)
                assert 0 <= left <= width - 256
                assert 0 <= top <= height - 256
                assert len(bytes.fromhex(values)) == 16
    assert len(set(targets)) == len(targets) == 24 + 21 + 2556
    assert content["without_a_home"]


def test_nothing_presumes_data_beside_the_project():
    root = get_data.MANIFEST.parents[1]
    needle = "../" + "shared"
    folders = ("docs", "recipes", "benchmarks", "examples", "tools", "tfrnnc", "export")
    files = [root / "Makefile", *root.glob("*.md")]
    for folder in folders:
        files += [path for path in (root / folder).rglob("*") if path.suffix in TEXTS]
    assert len(files) > 100
    assert [path.name for path in files if needle in path.read_text(encoding="utf-8")] == []
