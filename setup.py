"""The part of the package's metadata that setup.cfg cannot state: links that work on PyPI."""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
#: Links and pictures in Markdown, except those inside code.
LINK = re.compile(
    r"(?P<code>```.*?```|`[^`\n]*`)"
    r"|(?P<image>!?)(?P<text>\[[^\]]*\])\((?P<target>[^)\s]+)\)",
    re.DOTALL,
)


def absolute_links(text: str, project: str, revision: str) -> str:
    """Turns links to files of the repository into links to the project's page.

    Args:
        text: Markdown at the root of the repository.
        project: the address of the repository, as https://github.com/OWNER/NAME.
        revision: a tag, a branch or a commit.
    """

    def absolute(match: re.Match) -> str:
        target = match["target"]
        if match["code"] or re.match(r"[a-z]+:|#", target):
            return match[0]
        kind = "raw" if match["image"] else "blob"
        return f"{match['image']}{match['text']}({project}/{kind}/{revision}/{target})"

    return LINK.sub(absolute, text)


def metadata(project: str, revision: str) -> dict:
    """What depends on the address of the project; without an address, the README as it is."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    if not project:
        return {"long_description": readme}
    return {
        "long_description": absolute_links(readme, project, revision),
        "url": project,
        "project_urls": {
            "Changelog": f"{project}/blob/{revision}/CHANGELOG.md",
            "Issues": f"{project}/issues",
        },
    }


if __name__ == "__main__":
    setup(
        **metadata(
            os.environ.get("PROJECT_URL", "").rstrip("/"),
            os.environ.get("PROJECT_REVISION", "HEAD"),
        )
    )
