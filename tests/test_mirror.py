"""Tests mirror the package: densezoo/a/b.py is tested by tests/a/test_b.py."""

from __future__ import annotations

from pathlib import Path

from test_layering import PACKAGE, modules

TESTS = Path(__file__).resolve().parent

#: {module without a test file of its name: why it can't be tested alone}.
UNTESTABLE: dict[str, str] = {}


def mirror_of(module: str) -> Path:
    """Where the tests of a module are, which is named by its path in densezoo/."""
    path = TESTS / module
    return path.with_name(f"test_{path.name}")


def names() -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in modules() if path.name != "__init__.py"}


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = {name for name in names() if not mirror_of(name).exists()}
    assert missing - UNTESTABLE.keys() == set(), "write tests/<folder>/test_<module>.py"


def test_exceptions_are_of_modules_that_exist_and_have_no_tests() -> None:
    for name in UNTESTABLE:
        assert name in names(), f"{name} is gone; remove it from the exceptions"
    assert not [name for name in UNTESTABLE if mirror_of(name).exists()]


def test_every_test_file_holds_a_test() -> None:
    """An empty file of the right name would mirror nothing."""
    for name in names():
        path = mirror_of(name)
        assert not path.exists() or "def test_" in path.read_text(), path
