from __future__ import annotations

import ast
import inspect
import pickle
from pathlib import Path

import pytest

from densezoo import errors
from densezoo.backends.base import BACKENDS
from densezoo.errors import DensezooError, MissingDependencyError, UnknownNameError, some


def test_the_docstring_draws_every_error() -> None:
    assert errors.__doc__ is not None
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, DensezooError)]
    assert len(classes) > 5
    for cls in classes:
        assert cls.__name__ in errors.__doc__, cls


@pytest.mark.parametrize(
    ("name", "end"),
    [("torchvison", "; did you mean 'torchvision'?"), ("zzz", "; known: timm, torchvision")],
)
def test_an_unknown_name_suggests(name: str, end: str) -> None:
    assert str(UnknownNameError("protocol", name, ["torchvision", "timm"])) == f"there is no protocol {name!r}{end}"


@pytest.mark.parametrize(("number", "shown"), [(0, ""), (1, "0"), (5, "0, 1, 2, 3, 4"), (6, "0, 1, 2, 3, 4, ...")])
def test_a_list_of_names_is_cut_short(number: int, shown: str) -> None:
    names = [str(i) for i in range(number)]
    assert some(names) == shown
    assert some(names, 2) == (shown if number < 3 else "0, 1, ...")


REPOSITORY = Path(__file__).resolve().parent.parent


def missing_dependencies() -> list[tuple[str, str]]:
    """(module, extra) of every place that asks for a package that may be missing, and of every backend that does."""
    return [(entry.module, entry.extra) for entry in BACKENDS.values() if entry.extra] + [
        (path.relative_to(REPOSITORY).as_posix(), str(node.args[2].value))
        for path in sorted((REPOSITORY / "densezoo").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "MissingDependencyError"
        if len(node.args) == 3 and isinstance(node.args[2], ast.Constant)
    ]


def test_a_missing_package_is_named_with_its_extra() -> None:
    message = (
        "--ray needs Ray, which is not installed: pip install ray, or in a clone of densezoo pip install -e '.[ray]'"
    )
    assert str(MissingDependencyError("--ray", "Ray", "ray")) == message


def test_what_densezoo_builds_itself_is_named_with_what_it_takes() -> None:
    assert str(MissingDependencyError("backend native", "densezoo.backends.native._kernels")).endswith(
        "is not installed: with a C++ compiler at hand, in a clone of densezoo pip install -e ."
    )


def test_every_extra_that_a_message_names_exists() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    asked = missing_dependencies()
    assert len(asked) >= 6
    for module, extra in asked:
        assert f"\n{extra} = [" in extras, module


def test_only_the_error_says_how_to_install() -> None:
    places = [path for path in (REPOSITORY / "densezoo").rglob("*.py") if "pip install" in path.read_text()]
    assert [path.name for path in places] == ["errors.py"]


@pytest.mark.parametrize(
    "error", [errors.MissingDependencyError("a", "b", "c"), errors.UnknownNameError("a", "b", ["c"])]
)
def test_another_process_gets_the_message(error: errors.DensezooError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
