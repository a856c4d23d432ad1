"""android_demo/app/check_alignment: one line about whatever it is given."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "android_demo/app/check_alignment"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "unzip", "readelf"))), reason="needs unzip and readelf"
)


def library(alignment: int) -> bytes:
    """A shared library of 64 bits for ARM with a single segment."""
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 120, 120, alignment)
    sizes = struct.pack("<IHHHHHH", 0, 64, 56, 1, 64, 0, 0)
    kind = struct.pack("<HHIQQQ", 3, 183, 1, 0, 64, 0)
    return b"\x7fELF\2\1\1".ljust(16, b"\0") + kind + sizes + segment


def archive(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content)


@pytest.fixture
def check(tmp_path):
    """Runs the script on files of a folder; returns its exit code, output and errors."""
    (tmp_path / "empty.aar").touch()
    (tmp_path / "folder.aar").mkdir()
    (tmp_path / "text.aar").write_text("no archive")
    zipfile.ZipFile(tmp_path / "nothing.aar", "w").close()
    archive(tmp_path / "java.aar", "classes.jar", b"")
    archive(tmp_path / "arm32.aar", "jni/armeabi-v7a/a.so", library(4096))
    archive(tmp_path / "broken.aar", "jni/x86_64/a.so", b"no library")
    archive(tmp_path / "old.aar", "jni/arm64-v8a/a.so", library(4096))
    archive(tmp_path / "-new.aar", "jni/arm64-v8a/a.so", library(16384))
    whole = (tmp_path / "old.aar").read_bytes()
    (tmp_path / "cut.aar").write_bytes(whole[: len(whole) // 2])

    def run(*names: str) -> tuple[int, str, str]:
        command = [SCRIPT, *names]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("empty.aar", 1, "empty.aar: no AAR or APK, or damaged"),
        ("text.aar", 1, "text.aar: no AAR or APK, or damaged"),
        ("cut.aar", 1, "cut.aar: no AAR or APK, or damaged"),
        ("broken.aar", 1, "broken.aar: jni/x86_64/a.so is no library"),
        ("nothing.aar", 1, "nothing.aar: no native libraries of 64 bits"),
        ("java.aar", 1, "java.aar: no native libraries of 64 bits"),
        ("arm32.aar", 1, "arm32.aar: no native libraries of 64 bits"),
        ("missing.aar", 2, "missing.aar: no such file"),
        ("folder.aar", 2, "folder.aar: not a file"),
    ],
)
def test_what_cannot_be_checked_is_one_line(check, name, code, message):
    found, output, errors = check("-new.aar", name) if code == 2 else check(name)
    assert (found, output) == (code, "")
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1


def test_alignments(check):
    assert check("-new.aar") == (0, "1 libraries of 64 bits, 0 not aligned to 16384 bytes\n", "")
    assert check("-new.aar", "old.aar", "java.aar") == (
        1,
        "old.aar: jni/arm64-v8a/a.so is aligned to 4096 bytes, not 16384\n"
        "2 libraries of 64 bits, 1 not aligned to 16384 bytes\n",
        "",
    )


def test_usage(check):
    assert check()[0] == 2
