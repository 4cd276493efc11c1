"""The generated documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from densezoo import api
from densezoo.api import documents
from densezoo.errors import ResultError
from densezoo.paths import ROOT
from densezoo.results.pictures import PICTURES


def test_the_documents_are_what_index_and_results_say() -> None:
    assert api.make_tables(check=True) == []


def test_a_cell_typed_by_hand_is_found_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PAGES", tmp_path)
    assert tmp_path / "imagenet1k.md" in api.make_tables()
    assert api.make_tables(check=True) == []
    page = tmp_path / "imagenet1k.md"
    text = page.read_text(encoding="utf-8")
    assert text == (ROOT / "docs/results/imagenet1k.md").read_text(encoding="utf-8")
    page.write_text(text.replace("| 74.434 |", "| 74.435 |", 1), encoding="utf-8")
    (tmp_path / "imagenet2k.md").write_text("of a dataset that was renamed", encoding="utf-8")
    with pytest.raises(ResultError, match=r"imagenet1k.md, .*imagenet2k.md: not what index and results say; run"):
        api.make_tables(check=True)
    assert api.make_tables() == [page, tmp_path / "imagenet2k.md"]
    assert page.read_text(encoding="utf-8") == text
    assert not (tmp_path / "imagenet2k.md").exists()


def test_a_document_with_another_table_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DOCS", tmp_path)
    (tmp_path / "openmim.yml").write_text((ROOT / "docs/openmim.yml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "some.md").write_text("<!-- table: by-protocol -->\n<!-- end of table -->\n", encoding="utf-8")
    with pytest.raises(ResultError, match=r"some.md: not what index and results say"):
        api.make_tables(check=True)
    assert tmp_path / "some.md" in api.make_tables()
    assert "| 74.434 |" in (tmp_path / "some.md").read_text(encoding="utf-8")


def test_a_picture_of_other_figures_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, picture = "docs/pictures/crops.png", PICTURES["docs/pictures/crops.png"]
    monkeypatch.setattr(documents, "PICTURES", {str(tmp_path / "crops.png"): picture})
    with pytest.raises(ResultError, match=r"crops.png: not what"):
        api.make_tables(check=True)
    assert api.make_tables() == [tmp_path / "crops.png"]
    assert (tmp_path / "crops.png").read_bytes()[:8] == (ROOT / path).read_bytes()[:8]
    assert api.make_tables(check=True) == []
