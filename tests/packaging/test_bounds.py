"""The bounds of what tfrnnc needs leave out releases with known security holes."""

from __future__ import annotations

import configparser

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def requirements(request):
    """By name: what is allowed of each package that any extra asks for."""
    parser = configparser.ConfigParser()
    parser.read(request.config.rootpath / "setup.cfg")
    lines = parser.get("options", "install_requires", raw=True).splitlines()
    for _, extra in parser.items("options.extras_require", raw=True):
        lines += extra.splitlines()
    found: dict[str, list] = {}
    for line in lines:
        if line.strip() and not line.strip().startswith(("#", "%")):
            requirement = Requirement(line)
            found.setdefault(requirement.name, []).append(requirement.specifier)
    return found


@pytest.mark.parametrize(
    ("name", "holes", "sound"),
    [
        # 12.2: PYSEC-2026-2253 to 2257.
        ("pillow", ["11.3.0", "12.1.1", "12.2.0"], ["12.3.0", "13.0.0"]),
        # CVE-2026-2913.
        ("pyvips-binary", ["8.17.3", "8.18.0"], ["8.18.7"]),
        # CVE-2026-0897 and CVE-2026-1669 are mended in 3.12.1 and 3.13.2, though the first of
        # these was announced for 3.13.1; CVE-2026-12480 in 3.12.2 and 3.14.1, CVE-2026-12570 in
        # 3.12.3 and 3.15.0, and what 3.15.1 mends in 3.12.4.
        (
            "keras",
            ["3.12.0", "3.12.3", "3.13.0", "3.13.1", "3.13.2", "3.14.0", "3.14.1", "3.15.0"],
            ["3.12.4", "3.15.1"],
        ),
    ],
)
def test_releases_with_known_holes_are_not_installed(requirements, name, holes, sound):
    assert requirements[name]
    for specifier in requirements[name]:
        assert not list(specifier.filter(holes))
        assert list(specifier.filter(sound)) == sound
