"""Predictions there and back."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
import torch
from examples import example_facts, records_of

from densezoo.errors import EvaluationError, MissingDependencyError
from densezoo.evaluation.metrics import Records, counted_wrong, measure, score
from densezoo.evaluation.predictions import ROWS, read_predictions, write_predictions

IDS = [f"image {i}" for i in range(10_000)]


def predictions(path: Path, seed: int, fingerprint: str = "f" * 64, shuffled: bool = False) -> Records:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(IDS)) % 7
    logits = torch.randn(len(IDS), 7, generator=generator) + 2 * torch.nn.functional.one_hot(labels, 7)
    order = torch.randperm(len(IDS), generator=generator) if shuffled else torch.arange(len(IDS))
    records = score(logits[order], labels[order], order)
    facts = example_facts(dataset_fingerprint=fingerprint)
    write_predictions(path, np.array_split(records, 100), IDS, facts, 7)
    return records


def test_every_measure_from_the_file(tmp_path: Path) -> None:
    records = predictions(tmp_path / "a.parquet", 1)
    (expected,) = measure([records], 7, len(IDS))
    found = read_predictions(tmp_path / "a.parquet")
    for name, value in vars(expected).items():
        assert np.array_equal(getattr(found.measures(), name), value), name
    parts = list(found.parts())
    assert [name for ids, _ in parts for name in ids] == IDS
    assert np.array_equal(np.concatenate([part for _, part in parts]), records)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_what_can_t_be_read_is_not_right(tmp_path: Path) -> None:
    records = np.concatenate([counted_wrong(torch.tensor([1]), torch.tensor([0])), records_of([0.5, 0.5], [0, 1])])
    records["index"][1:] = 0, 2
    write_predictions(tmp_path / "a", [records], ["a", "b", "c"], example_facts(), 2)
    assert read_predictions(tmp_path / "a").right().tolist() == [True, False, False]


def test_what_is_no_predictions_file(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (tmp_path / "text").write_text("hello")
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "other")
    answers = pyarrow.table({"name": ["cat"]}).replace_schema_metadata({"densezoo": "{}"})  # of densezoo predict
    pyarrow.parquet.write_table(answers, tmp_path / "answers")
    for name, message in (
        ("text", "not a parquet file"),
        ("other", "not densezoo's"),
        ("answers", "not densezoo's"),
        ("none", "there is no such file"),
    ):
        with pytest.raises(EvaluationError, match=f"{name}: {message}.*densezoo test --predictions"):
            read_predictions(tmp_path / name)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingDependencyError, match="pip install pyarrow, or"):
        read_predictions(tmp_path / "a")


def test_rows_are_written_in_groups_of_what_may_be_in_memory(tmp_path: Path) -> None:
    """Parts of 100 rows, as steps give them, are put together until there are ROWS."""
    import pyarrow.parquet

    predictions(tmp_path / "a", 1)
    with pyarrow.parquet.ParquetFile(tmp_path / "a") as file:
        groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [1100] * 9 + [100]
    assert ROWS <= 1100 < ROWS + 100
    assert max(len(records) for _, records in read_predictions(tmp_path / "a").parts()) == ROWS


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    predictions(path, 1)
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196  # the first rows; what the file says of itself stands at its end
    path.write_bytes(content)
    with pytest.raises(
        EvaluationError, match=r"a.parquet: can't be read \(.*\); make it anew with densezoo test --predictions"
    ):
        read_predictions(path).measures()
