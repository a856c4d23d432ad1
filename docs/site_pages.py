"""What MkDocs needs to know of this repository: pages from outside of docs/, and their links.

Documents link to each other by the paths that they have in the repository. On the site these
become links between pages; what has no page there, a file of code or a folder, keeps its text
only. A link to what does not exist is a warning, which `make docs` takes for an error.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
DOCS = "docs"

#: pages that lie elsewhere in the repository, and where they are on the site
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "examples/README.md": "examples.md",
    "export/README.md": "exported_files.md",
} | {
    card.relative_to(ROOT).as_posix(): f"models/{card.parent.name}.md"
    for card in sorted(ROOT.glob("tfrnnc/presets/*/MODEL_CARD.md"))
}

_CODE_OR_LINK = re.compile(
    r"^ *```.*?^ *```|`[^`]*`|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", re.M | re.S
)

logger = logging.getLogger("mkdocs.plugins.site_pages")


def on_files(files, config):
    """Adds the pages from outside of docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns the repository's links into the site's."""
    uri = page.file.src_uri
    source = {page: source for source, page in PAGES.items()}.get(uri, f"{DOCS}/{uri}")

    def rewrite(match: re.Match) -> str:
        target = match["target"]
        if target is None or re.match(r"[a-z]+:|#", target):
            return match[0]
        path, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / path).exists():
            logger.warning("%s links to %s, which does not exist", source, target)
        place = PAGES.get(path) or path.removeprefix(f"{DOCS}/")
        if path not in PAGES and files.get_file_from_path(place) is None:
            return match["text"]
        link = posixpath.relpath(place, posixpath.dirname(uri) or ".")
        return f"{match['image']}[{match['text']}]({link}{'#' * bool(anchor)}{anchor})"

    return _CODE_OR_LINK.sub(rewrite, markdown)
