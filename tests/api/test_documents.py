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
        f"metafiles/digits.yml: model {spec.name}: {problem}"
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


def test_stale_missing_and_orphaned_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CARDS", tmp_path)
    monkeypatch.setattr(documents, "GENERATED", ())
    with pytest.raises(ResultError, match="densenet121.md.*: not what index and results say; run tools/make_tables.py"):
        api.make_tables(check=True)
    assert len(api.make_tables()) == len({spec.arch for spec in load_index().values()})
    assert api.make_tables(check=True) == []
    (tmp_path / "densenet122.md").write_text("of a model that was renamed")
    (tmp_path / "densenet121.md").write_text("typed by hand")
    with pytest.raises(ResultError, match=r"densenet121.md, .*densenet122.md: not what"):
        api.make_tables(check=True)
    assert [path.name for path in api.make_tables()] == ["densenet121.md", "densenet122.md"]
    assert api.make_tables(check=True) == []
    assert not (tmp_path / "densenet122.md").exists()


def test_the_readme_is_what_index_and_results_say() -> None:
    assert api.make_tables(check=True) == []


def test_a_cell_typed_by_hand_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (document,) = documents.GENERATED
    text = document.read_text()
    assert "74.434" in text
    copy = tmp_path / "README.md"
    monkeypatch.setattr(documents, "GENERATED", (copy,))
    copy.write_text(text.replace("74.434", "74.435", 1))
    with pytest.raises(ResultError, match="README.md: not what index and results say; run tools/make_tables.py"):
        api.make_tables(check=True)
    assert api.make_tables() == [copy]
    assert copy.read_text() == text
