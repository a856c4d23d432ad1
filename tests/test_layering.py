"""Imports within the package go one way; this reads all of them, without running anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "tfrnnc"

#: From the bottom to the top. A part imports from its own layer and from those below it.
LAYERS = (
    (
        "advice",
        "arguments",
        "backend",
        "blas",
        "cicp",
        "errors",
        "files",
        "image_metadata",
        "libtiff",
        "metrics",
        "processes",
    ),
    ("bitstream", "image_rows", "images", "layers"),
    ("data", "model_folder", "models", "presets", "runtimes"),
    ("codec", "evaluation", "export", "pipelines", "preview", "training"),
    # What users call: the lazy names of `tfrnnc` itself, the commands, the plugin of Pillow.
    ("__init__", "cli", "pillow_plugin"),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

#: Arrows that go up nevertheless, each with its reason.
ALLOWED: dict[tuple[str, str], str] = {}

#: What the parts that must start at once never import.
HEAVY = {"jax", "keras", "tensorflow", "tensorflow_datasets", "tensorflow_model_optimization"}
LIGHT = ("tfrnnc.bitstream", "tfrnnc.metrics", "tfrnnc.runtimes.litert_runtime")


class Import(NamedTuple):
    """One name that a module imports; `late` if not when it is imported itself.

    That is inside a function, or for the type checker only.
    """

    importer: str
    imported: str
    late: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_in(source: str, importer: str, package: str) -> Iterator[Import]:
    """All imports of a module, those inside functions and of `import_module("...")` as well.

    Args:
        source: of the module.
        importer: its name.
        package: that its relative imports start from.
    """

    def visit(node: ast.AST, late: bool) -> Iterator[Import]:
        for name in imported_names(node, package):
            yield Import(importer, name, late)
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside or (for_types and child in node.body))

    yield from visit(ast.parse(source), late=False)


def imported_names(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*(above if node.level else []), *([node.module] if node.module else [])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        return [name if name in MODULES else base for name in inner]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else None
        called = function.id if isinstance(function, ast.Name) else called
        if called == "import_module" and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def all_imports() -> list[Import]:
    return [
        each
        for name, path in MODULES.items()
        for each in imports_in(
            path.read_text(), name, name if path.stem == "__init__" else name.rpartition(".")[0]
        )
    ]


IMPORTS = all_imports()


def part_of(module: str) -> str:
    """The part of the package that a module belongs to."""
    return (module.split(".") + ["__init__"])[1]


def arrows(imports: list[Import]) -> set[tuple[str, str]]:
    """Importer and imported of the imports within the package, between different parts."""
    return {
        (each.importer, each.imported)
        for each in imports
        if each.imported.split(".")[0] == "tfrnnc"
        and part_of(each.importer) != part_of(each.imported)
    }


def upward(imports: list[Import]) -> set[tuple[str, str]]:
    return {
        (importer, imported)
        for importer, imported in arrows(imports)
        if RANK[part_of(importer)] < RANK[part_of(imported)]
    }


def test_every_part_has_a_layer():
    parts = {part_of(module) for module in MODULES}
    assert parts <= set(RANK), "give the new part a layer"


def test_no_import_goes_up():
    assert upward(IMPORTS) - set(ALLOWED) == set()


def test_what_is_allowed_is_still_there():
    assert set(ALLOWED) - upward(IMPORTS) == set(), "the arrow is gone; take it off the list"
    assert all(ALLOWED.values()), "an arrow that goes up needs a reason"


def circles(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows that lie on a circle, or on a way from one circle to another."""
    left = pairs
    while True:  # Take off what nothing imports, or what imports nothing.
        importing, imported = {arrow[0] for arrow in left}, {arrow[1] for arrow in left}
        inner = {arrow for arrow in left if arrow[0] in imported and arrow[1] in importing}
        if inner == left:
            return left
        left = inner


def test_no_parts_import_each_other():
    """Within a layer there is a direction, too."""
    between = {
        (part_of(importer), part_of(imported))
        for importer, imported in arrows(IMPORTS) - set(ALLOWED)
    }
    assert circles(between) == set(), "these parts import each other"


def test_no_modules_import_each_other():
    """Nor do the modules of a part, even where a function imports late."""
    between = {
        (each.importer, each.imported)
        for each in IMPORTS
        if each.imported in MODULES and each.imported != each.importer
    }
    assert circles(between) == set(), "these modules import each other"


@pytest.mark.parametrize("light", LIGHT)
def test_light_parts_import_nothing_heavy(light):
    """Neither themselves, inside functions too, nor by what is imported when they are."""
    own = [each for each in IMPORTS if f"{each.importer}.".startswith(f"{light}.")]
    assert own
    waiting = [*own]
    seen = set()
    while waiting:
        each = waiting.pop()
        assert each.imported.split(".")[0] not in HEAVY, f"{each.importer} imports {each.imported}"
        for module in parents(each.imported) - seen:
            seen.add(module)
            waiting += [other for other in IMPORTS if other.importer == module and not other.late]


def parents(module: str) -> set[str]:
    """A module and the packages that importing it imports."""
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)} & set(MODULES)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import tfrnnc.cli.encode", "tfrnnc.cli.encode"),
        ("from tfrnnc.cli import encode", "tfrnnc.cli.encode"),
        ("from tfrnnc.cli.encode import main", "tfrnnc.cli.encode"),
        ("from ..cli import encode", "tfrnnc.cli.encode"),
        ("from .. import cli", "tfrnnc.cli"),
        ("def late():\n    from tfrnnc import cli", "tfrnnc.cli"),
        ("importlib.import_module('tfrnnc.cli')", "tfrnnc.cli"),
        ("if TYPE_CHECKING:\n    import tfrnnc.cli", "tfrnnc.cli"),
    ],
)
def test_an_arrow_that_goes_up_would_be_found(line, found):
    imports = list(imports_in(line, "tfrnnc.metrics.psnr", "tfrnnc.metrics"))
    assert upward(imports) == {("tfrnnc.metrics.psnr", found)}


@pytest.mark.parametrize(
    ("source", "late"),
    [
        ("import numpy", False),
        ("def late():\n    import numpy", True),
        ("if TYPE_CHECKING:\n    import numpy", True),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import numpy", False),
    ],
)
def test_when_a_module_is_imported(source, late):
    assert list(imports_in(source, "tfrnnc", "")) == [Import("tfrnnc", "numpy", late)]
