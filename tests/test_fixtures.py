"""The manifest of tests/fixtures lists each file once, with its origin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent / "fixtures"


def test_every_file_is_listed_once_and_every_listed_file_is_there() -> None:
    entries = yaml.safe_load((FOLDER / "manifest.yml").read_text())
    listed = Counter(file for entry in entries for file in entry["files"])
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert set(listed) == there - {"manifest.yml"}
    assert set(listed.values()) == {1}


def test_every_entry_says_where_it_is_from() -> None:
    for entry in yaml.safe_load((FOLDER / "manifest.yml").read_text()):
        assert entry.keys() == {"system", "version", "script", "files"}
        assert all(isinstance(entry[key], str) and entry[key] for key in ("system", "version", "script")), entry
