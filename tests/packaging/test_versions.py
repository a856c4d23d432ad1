"""The version, which several files name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where each file names it.
PATTERNS = {
    "setup.cfg": r"^version = (\S+)$",
    "presets/setup.cfg": r"^version = (\S+)$",
    "CITATION.cff": r"^version: (\S+)$",
}


def version_in(name: str) -> str:
    (version,) = re.findall(PATTERNS[name], (ROOT / name).read_text(), re.MULTILINE)
    return version


def test_one_version():
    assert len({version_in(name) for name in PATTERNS}) == 1


def test_changelog_has_the_version():
    """A release has a section with its day; what comes after it is unreleased."""
    version = version_in("setup.cfg")
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if ".dev" in version:
        assert headings[0] == "[Unreleased]"
    else:
        assert re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", headings[0])
