from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.paths import RESULTS, ROOT, cache_folder, relative_to_root


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    for name, value, expected in (
        ("DENSEZOO_HOME", "", "/home/user/.cache/densezoo"),
        ("XDG_CACHE_HOME", "/cache", "/cache/densezoo"),
        ("DENSEZOO_HOME", "~/zoo", "/home/user/zoo"),
    ):
        monkeypatch.setenv(name, value)
        if value == "":
            monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        assert cache_folder() == Path(expected)


def test_results_are_the_repository_s_in_a_clone() -> None:
    """Of an installed densezoo they are in the current folder (tests/commands/test_wheel.py)."""
    assert RESULTS == ROOT / "results"
    assert (ROOT / "pyproject.toml").is_file()


def test_a_path_is_written_relative_to_the_repository_where_it_lies_in_it(tmp_path: Path) -> None:
    assert relative_to_root(RESULTS / "a.json") == "results/a.json"
    assert relative_to_root(tmp_path / "a.json") == str(tmp_path.resolve() / "a.json")
