from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.paths import cache_folder


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
