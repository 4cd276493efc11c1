"""``densezoo site``."""

from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.commands import site


def test_it_says_where_the_first_page_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("densezoo.api.make_site", lambda folder, results: Path(folder) / "index.html", raising=False)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert site.main([str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"written: {tmp_path}/out/index.html\n"
    assert opened == []
    assert site.main([str(tmp_path / "out"), "--open"]) == 0
    assert opened == [(tmp_path / "out/index.html").as_uri()]


def test_a_folder_of_something_else_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert site.main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: holds files that no site of densezoo")
