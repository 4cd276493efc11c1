"""Tests mirror the package: densezoo/a/b.py is tested by tests/a/test_b.py."""

from __future__ import annotations

from pathlib import Path

from test_layering import PACKAGE, modules

TESTS = Path(__file__).resolve().parent


def mirrors() -> dict[str, Path]:
    """{module, by its path in densezoo/: the file that its tests are in}."""
    names = [path.relative_to(PACKAGE) for path in modules() if path.name != "__init__.py"]
    return {name.as_posix(): TESTS / name.with_name(f"test_{name.name}") for name in names}


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = {name for name, path in mirrors().items() if not path.exists()}
    assert missing == set(), "write tests/<folder>/test_<module>.py"


def test_every_test_file_holds_a_test() -> None:
    """An empty file of the right name would mirror nothing."""
    for path in mirrors().values():
        assert "def test_" in path.read_text(), path
