"""Models on the Hugging Face Hub, in a stand-in for it on localhost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import tfrnnc
from tfrnnc.errors import InstallationError, ModelError
from tfrnnc.model_folder.hub import download_model
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

PRESET = "fc_small_shared"
FIRST, SECOND, WITH_INT8 = "1" * 40, "2" * 40, "3" * 40  # commits


class FakeHub(ThreadingHTTPServer):
    """Serves repositories as the hub does, as far as its client asks for that.

    Attributes:
        commits: the files of each commit of owner/name.
        branches: their commits, by name.
        requests: paths that were asked for.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        files = _files(PRESET)
        old = {**files, "MODEL_CARD.md": b"the first one\n"}
        self.commits = {FIRST: old, SECOND: {**files, "README.md": b"---\ntags: []\n---\n"}}
        self.commits[WITH_INT8] = {**_files(DEFAULT_PRESET), "int8/README.md": b"Not the codec's"}
        self.branches = {"main": SECOND, "v1": FIRST, "both": WITH_INT8}
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        path = self.path.partition("?")[0]
        if not (match := re.fullmatch(r"(?:/api/models)?/owner/(\w+)/(\w+)/([^/]+)(/.+)?", path)):
            return self._answer(404, error="RepoNotFound")
        name, what, revision, file = match.groups()
        commit = self.server.branches.get(revision, revision)
        if name == "gated":
            return self._answer(403, error="GatedRepo")
        if name != "model":
            return self._answer(401, error="RepoNotFound")
        if commit not in self.server.commits:
            return self._answer(404, error="RevisionNotFound")
        files = self.server.commits[commit]
        if what == "revision":
            return self._answer(200, {"id": "owner/model", "sha": commit, "siblings": []})
        if what == "tree":
            return self._answer(200, [_entry(*each) for each in files.items()])
        content = files[(file or "").lstrip("/")]
        entry = _entry((file or "").lstrip("/"), content)
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit}
        return self._answer(200, content, headers=headers)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status, content=b"", error="", headers=None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "X-Error-Code": error}.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args) -> None:
        """Says nothing."""


def _files(preset: str) -> dict[str, bytes]:
    folder = find_model(preset).path
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _entry(name: str, content: bytes) -> dict:
    """A file as the hub lists it: binary ones by their SHA-256, others by git's SHA-1."""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = {"type": "file", "path": name, "size": len(content), "oid": git}
    if name.endswith(".tflite"):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return entry


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[FakeHub]:
    from huggingface_hub import constants

    server = FakeHub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


def test_a_model_of_the_hub_is_that_of_its_folder(hub, image, capfd):
    codec = tfrnnc.load("hf://owner/model")
    assert codec.encode(image) == tfrnnc.load(PRESET).encode(image)
    assert "README" not in " ".join(hub.requests)  # not the codec's
    assert "Fetching" not in capfd.readouterr().err


def test_revisions(hub):
    for revision in ("v1", FIRST):
        card = download_model(f"hf://owner/model@{revision}") / "MODEL_CARD.md"
        assert card.read_text() == "the first one\n"
    newest = download_model("hf://owner/model")
    assert newest.name == SECOND
    assert newest == download_model("hf://owner/model@main")


def test_the_cache_serves_without_a_network(hub, image):
    expected = tfrnnc.load("hf://owner/model").encode(image)
    hub.branches.clear()
    hub.requests.clear()
    assert tfrnnc.load(f"hf://owner/model@{SECOND}").encode(image) == expected
    assert not hub.requests
    hub.shutdown()
    hub.server_close()
    assert tfrnnc.load("hf://owner/model").encode(image) == expected
    with pytest.raises(ModelError, match=r"hf://owner/other: the hub cannot be reached"):
        tfrnnc.load("hf://owner/other")


def test_the_files_with_8_bit_arithmetic_come_along(hub, image):
    address = "hf://owner/model@both"
    expected = {each: tfrnnc.load(arithmetic=each).encode(image) for each in ("float32", "int8")}
    assert expected["float32"] != expected["int8"]
    assert tfrnnc.load(address, arithmetic="int8").encode(image) == expected["int8"]
    assert "README" not in " ".join(hub.requests)
    # From the cache too, whichever was loaded before.
    hub.requests.clear()
    for arithmetic, stream in expected.items():
        codec = tfrnnc.load(f"hf://owner/model@{WITH_INT8}", arithmetic=arithmetic)
        assert codec.encode(image) == stream
    assert not hub.requests


def test_a_model_without_8_bit_arithmetic(hub):
    folder = re.escape(str(download_model("hf://owner/model")))
    message = rf"^{folder}: has no TFLite files that compute in 8 bits \(in int8/\); make some"
    with pytest.raises(ModelError, match=message):
        tfrnnc.load("hf://owner/model", arithmetic="int8")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf://owner/other", "no such repository, or a private one"),
        ("hf://owner/gated", "gives access on request"),
        ("hf://owner/model@v2", "the repository has no revision v2"),
        ("hf://owner", "named like hf://OWNER/NAME"),
        ("hf://owner/model/file", "named like hf://OWNER/NAME"),
        ("hf://owner/model@", "named like hf://OWNER/NAME"),
        ("hf://../model", "named like hf://OWNER/NAME"),
    ],
)
def test_what_cannot_be_loaded(hub, address, message):
    with pytest.raises(ModelError, match=f"^{re.escape(address)}: .*{message}"):
        tfrnnc.load(address)


def test_a_repository_of_something_else(hub):
    hub.commits[SECOND] = {"README.md": b"# Another\n", "LICENSE": b""}
    with pytest.raises(ModelError, match="not a tfrnnc model; the repository has neither"):
        tfrnnc.load("hf://owner/model")


@pytest.mark.parametrize(
    "name", ["decoder_1.tflite", "config.json", "int8/decoder_1.tflite", "int8/manifest.json"]
)
def test_a_damaged_file_is_refused(hub, name):
    path = download_model("hf://owner/model@both") / name
    if not path.is_symlink():
        pytest.skip("this system's cache has no symbolic links")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.resolve().write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: damaged, or not the file that hf://owner"):
        tfrnnc.load("hf://owner/model@both")


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InstallationError, match=r"tfrnnc\[hub\]"):
        tfrnnc.load("hf://owner/model")


def test_commands_take_models_of_the_hub(hub, image, tmp_path):
    """By the variables of the environment that the hub's client reads."""
    from PIL import Image

    Image.fromarray(image).save(tmp_path / "a.png")
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    code = "from tfrnnc.cli.encode import main; main()"
    words = ["a.png", "a.rnnc", "--model", "hf://owner/model@v1", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path(tfrnnc.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert tfrnnc.load(PRESET).decode((tmp_path / "a.rnnc").read_bytes()).shape == image.shape
