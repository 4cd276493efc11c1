"""Tables and cards, written and checked, as a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.api import documents


def test_tables_are_up_to_date(tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("make_tables", "--check") == 0
    assert capsys.readouterr().out == "the tables are up to date\n"


def test_what_is_stale_is_named_or_written(
    tool: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(documents, "CARDS", tmp_path / "models")
    monkeypatch.setattr(documents, "model_cards", lambda specs: {"densenet121.md": "# densenet121\n"})
    assert tool("make_tables", "--check") == 1
    stale = f"{tmp_path}/models/densenet121.md"
    assert capsys.readouterr().err == f"error: {stale}: not what index and results say; run densezoo make_tables\n"
    assert tool("make_tables") == 0
    assert capsys.readouterr().out == f"regenerated: {tmp_path}/models/densenet121.md\n"
    assert (tmp_path / "models" / "densenet121.md").read_text() == "# densenet121\n"
    assert tool("make_tables") == 0
    assert capsys.readouterr().out == "the tables are up to date\n"
