"""Imports point one way: each folder may import those in the rows above its own, never its siblings."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from densezoo.families import FAMILIES

PACKAGE = Path(__file__).resolve().parent.parent / "densezoo"

#: The rows of docs/architecture.md, lowest first.
ROWS = [
    {"errors"},
    {"files", "imports", "malloc", "paths", "threads"},
    {"types"},
    {"schema", "yaml_files"},
    {"protocols"},
    {"formats"},
    {"families"},
    {"config"},
    {"index", "conversion", "data"},
    {"backends"},
    {"results"},
    {"evaluation"},
    {"training"},
    {"benchmarks"},
    {"api"},
    {"commands"},
    {"__main__"},
]

#: Imports that are still to be turned round: (module, what it imports).
TO_BE_MENDED: set[tuple[str, str]] = set()


def unit(module: str) -> str:
    """densezoo.data.images -> data; densezoo -> api."""
    parts = module.split(".")[1:]
    return parts[0] if parts else "api"


def row(name: str) -> int:
    return next(i for i, units in enumerate(ROWS) if name in units)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> set[str]:
    """The densezoo modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "densezoo":
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {
                name for name in names if (PACKAGE.parent / name.replace(".", "/")).with_suffix(".py").exists()
            }
            found |= submodules or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "densezoo"}
    return found


@cache
def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


#: A test a folder, and not a module, of which there are 400: the overhead of a test is more than what these do.
FOLDERS = pytest.mark.parametrize("folder", sorted({path.relative_to(PACKAGE).parts[0] for path in modules()}))


def modules_of(folder: str) -> list[Path]:
    """The modules below a folder of the package; of a module's own name that module."""
    return [path for path in modules() if path.relative_to(PACKAGE).parts[0] == folder]


@FOLDERS
def test_imports_point_down(folder: str) -> None:
    for path in modules_of(folder):
        name = ".".join(("densezoo", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        own = unit(name)
        for module in imported(path):
            other = unit(module)
            allowed = other == own or row(other) < row(own) or (name, module) in TO_BE_MENDED
            assert allowed, f"{name} imports {module}"


@FOLDERS
def test_only_a_family_s_folder_imports_its_modules(folder: str) -> None:
    """All others ask `densezoo.families`, so that a second family is added by addition."""
    for path in modules_of(folder):
        own = path.relative_to(PACKAGE).parts
        if own == ("benchmarks", "memory_step.py"):  # other packages' DenseNets are what it compares with
            continue
        for module in imported(path):
            parts = module.split(".")
            if parts[:2] == ["densezoo", "families"] and parts[2:3] and parts[2] in FAMILIES:
                assert own[:2] == ("families", parts[2]), f"{path} imports {module}"


def test_the_page_on_architecture_names_every_module() -> None:
    """Each in its folder's row, and no module that is gone."""
    page = (PACKAGE.parent / "docs/architecture.md").read_text()
    rows: dict[str, str] = {}
    for line in re.findall(r"(?m)^\| (`.*)$", page.partition("## Every module\n")[2].partition("\n## ")[0]):
        folders, names = line.split(" | ", 1)
        rows |= dict.fromkeys(re.findall("`(?:densezoo/)?([^`]*?)/?`", folders), names)
    modules_by_folder: dict[str, set[str]] = {}
    for path in modules():
        if path.name != "__init__.py":
            modules_by_folder.setdefault(path.parent.relative_to(PACKAGE).as_posix().strip("."), set()).add(path.stem)
    assert rows.keys() == modules_by_folder.keys()
    for folder, known in modules_by_folder.items():
        named = set(re.findall("`(\\w+)`", rows[folder]))
        assert known <= named, f"{folder}: name {known - named} in the page"
    stems = set().union(*modules_by_folder.values())
    assert {name for names in rows.values() for name in re.findall("`(\\w+)`", names)} <= stems


def test_listing_the_index_imports_no_torch() -> None:
    program = (
        "import sys, densezoo; assert densezoo.list_models();"
        "print([name for name in ('torch', 'torchvision', 'timm', 'pandas', 'mmengine') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


#: Modules that are tables, which may be longer.
TABLES = {"families/densenet/keymaps.py"}


@FOLDERS
def test_functions_and_modules_are_short(folder: str) -> None:
    for path in modules_of(folder):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno
                assert length < 50, f"{name}: {node.name} is longer than 50 lines with its docstring"
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert name in TABLES or lines <= 350, f"{name} has {lines} lines"


@FOLDERS
def test_a_docstring_says_what_an_argument_means_not_where_to_look(folder: str) -> None:
    """A reader of one function has to open no other one."""
    reference = r"((the same )?as (for|of|in|there|`)|.*\bas `[^`]+` (takes|has))"
    elsewhere = re.compile(rf"^\s+[\w, ]+: {reference}.*$", re.MULTILINE)
    for path in modules_of(folder):
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found = elsewhere.search(ast.get_docstring(node, clean=False) or "")
                assert found is None, f"{path.relative_to(PACKAGE)}: {node.name}: {found and found[0].strip()}"
