"""What MkDocs needs to know of this repository: pages from outside of docs/, and their links.

Notebooks become pages as they are kept, with their outputs; nothing is run. Formulas become MathML,
which browsers draw without a script.

Documents link to each other by the paths that they have in the repository. On the site these
become links between pages; what has no page there, a file of code or a folder, keeps its text
only. A link to what does not exist is a warning, which `make docs` takes for an error.
"""

from __future__ import annotations

import base64
import json
import logging
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert
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

NOTEBOOKS = {
    notebook.relative_to(ROOT).as_posix(): f"notebooks/{notebook.stem}.md"
    for notebook in sorted(ROOT.glob("notebooks/*.ipynb"))
}
PAGES |= NOTEBOOKS

_CODE_OR_LINK = re.compile(
    r"^ *```.*?^ *```|`[^`]*`|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", re.M | re.S
)

_FORMULA = re.compile(r"`[^`]*`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+)\$", re.S)
_TAG = re.compile(r"\\tag\{(.*?)\}")

logger = logging.getLogger("mkdocs.plugins.site_pages")


def on_files(files, config):
    """Adds the pages from outside of docs/."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text()
        if source in NOTEBOOKS:
            cells, folder = json.loads(content)["cells"], posixpath.dirname(page)
            pictures: dict[str, bytes] = {}
            content = "\n\n".join(notebook_parts(cells, Path(source).stem, pictures))
            for name, data in pictures.items():
                files.append(File.generated(config, f"{folder}/{name}", content=data))
        files.append(File.generated(config, page, content=content))
    return files


def notebook_parts(cells: list[dict], name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    """A notebook's cells and outputs in Markdown.

    Args:
        cells: of the notebook.
        name: that its pictures begin with.
        pictures: is filled with the pictures, by their file names.
    """
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield _FORMULA.sub(_as_mathml, source)
            continue
        yield f"```python\n{source}\n```"
        outputs = cell["outputs"]
        if text := "".join("".join(output.get("text", "")) for output in outputs):
            yield f"```{{ .text .output }}\n{text.rstrip()}\n```"
        for output in outputs:
            for kind in ("jpeg", "png"):
                if picture := output.get("data", {}).get(f"image/{kind}"):
                    file = f"{name}_{len(pictures) + 1}.{kind}"
                    pictures[file] = base64.b64decode(picture)
                    yield f"![What the code above shows]({file})"


def _as_mathml(match: re.Match) -> str:
    formula = match["block"] or match["inline"]
    if formula is None:
        return match[0]
    number = _TAG.search(formula)
    display = "block" if match["block"] else "inline"
    drawn = convert(_TAG.sub("", formula).strip(), display=display)
    if not match["block"]:
        return f"<span>{drawn}</span>"  # which Markdown does not take for a block of its own
    shown = f"<span>({number[1]})</span>" if number else ""
    return f'<div class="formula">{drawn}{shown}</div>'


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
        if source in NOTEBOOKS and files.get_file_from_path(path) is not None:
            return match[0]  # a picture taken out of the notebook
        if not (ROOT / path).exists():
            logger.warning("%s links to %s, which does not exist", source, target)
        place = PAGES.get(path) or path.removeprefix(f"{DOCS}/")
        if path not in PAGES and files.get_file_from_path(place) is None:
            return match["text"]
        link = posixpath.relpath(place, posixpath.dirname(uri) or ".")
        return f"{match['image']}[{match['text']}]({link}{'#' * bool(anchor)}{anchor})"

    return _CODE_OR_LINK.sub(rewrite, markdown)
