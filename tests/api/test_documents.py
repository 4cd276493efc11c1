"""What is generated from index and results, and the index held against the networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import densezoo
from densezoo import api
from densezoo.api import documents
from densezoo.errors import MetafileError, ResultError
from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.results.cards import model_cards
from densezoo.results.pictures import PICTURES
from densezoo.types import ReportedResult, WeightSource


def test_check_index_names_file_model_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = densezoo.get_spec("densenet_bc_22_8.densezoo_digits")
    (source,) = spec.weights
    wrong = dataclasses.replace(
        spec,
        num_params=1,
        flops={"torchvision": 2},
        weights=(
            dataclasses.replace(source, keymap="torchvison"),
            WeightSource("torch", "pickle", url="https://example.org/f.pth", hash_prefix="abcd"),
        ),
        reported=(
            ReportedResult("cifr10", "digits", 1.0, None, "p", "w"),
            ReportedResult("radimagenet", None, 1.0, None, "p", "w", not_evaluable="densezoo can't read RadImageNet"),
            ReportedResult("imagenet1k", "digits", 1.0, None, "p", "w", tta="tencrop"),
        ),
    )
    monkeypatch.setattr(documents, "load_index", lambda path: {spec.name: wrong})
    with pytest.raises(MetafileError) as caught:
        api.check_index()
    assert str(caught.value).splitlines() == [
        f"metafiles/densezoo.yml: model {spec.name}: {problem}"
        for problem in (
            f"Metadata: Parameters is 1; {spec.config} builds 32,318",
            f"Metadata: FLOPs: torchvision is 2; {spec.config} takes 858,956 at 8 px",
            "Weight Files: Keymap: there is no 'torchvison'; did you mean 'torchvision'?",
            "Weight Files: https://example.org/f.pth: states neither Keymap nor why it is Not Loadable",
            "Weight Files: https://example.org/f.pth: the hash abcd has less than 8 digits",
            "Results: Dataset: there is no 'cifr10' that isn't Not Evaluable; did you mean 'cifar10'?",
            f"Results: imagenet1k has 1000 classes; {spec.config} has 10",
            "Results: Test Time Augmentation: there is no 'tencrop'; did you mean 'ten-crop'?",
        )
    ]


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


def test_stale_missing_and_orphaned_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CARDS", tmp_path)
    with pytest.raises(ResultError, match="densenet121.md.*: not what index and results say; run densezoo make_tables"):
        api.make_tables(check=True)
    assert len(api.make_tables()) == len(model_cards(load_index().values()))
    assert api.make_tables(check=True) == []
    (tmp_path / "densenet122.md").write_text("of a model that was renamed")
    (tmp_path / "densenet121.md").write_text("typed by hand")
    with pytest.raises(ResultError, match=r"densenet121.md, .*densenet122.md: not what"):
        api.make_tables(check=True)
    assert [path.name for path in api.make_tables()] == ["densenet121.md", "densenet122.md"]
    assert api.make_tables(check=True) == []
    assert not (tmp_path / "densenet122.md").exists()
