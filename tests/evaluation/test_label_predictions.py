from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from examples import example_facts
from pyarrow import parquet

from densezoo.data.images import ArrayImages
from densezoo.errors import EvaluationError
from densezoo.evaluation.label_predictions import read_label_predictions, write_label_predictions
from densezoo.evaluation.predictions import read_predictions, write_predictions

LOGITS = np.array([[0.1, 40.0], [0.3, 39.0], [-5.0, 41.0]])
SETS = [(0, 1), (), (1,)]
NAMES = ("cat", "dog")


def written(path: Path) -> Path:
    images = ArrayImages("here", ["a", "b", "c"], [0, -1, 1], np.zeros((3, 1, 1), np.uint8), label_sets=SETS)
    write_label_predictions(path, LOGITS, images, [2], example_facts(), NAMES)
    return path


def test_there_and_back(tmp_path: Path) -> None:
    found = read_label_predictions(written(tmp_path / "p.parquet"))
    assert found is not None
    assert (found.names, found.label_sets, found.truncated) == (NAMES, tuple(SETS), 1)
    assert (found.logits.tolist(), found.facts) == (LOGITS.tolist(), example_facts())
    assert parquet.read_table(found.path)["id"].to_pylist() == ["a", "b", "c"]


def test_the_areas_are_those_of_the_logits(tmp_path: Path) -> None:
    """By hand: cat: 0.1 of the one that has it, above -5 and below 0.3; dog: 40 and 41 above 39, where sigmoid is 1."""
    found = read_label_predictions(written(tmp_path / "p.parquet"))
    assert found is not None
    assert [label.auc for label in found.labels()] == [0.5, 1.0]


def test_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="predictions of several labels an image; expected those of one class"):
        read_predictions(written(tmp_path / "labels.parquet"))
    write_predictions(tmp_path / "classes.parquet", [], [], example_facts(), 2)
    assert read_label_predictions(tmp_path / "classes.parquet") is None


def test_rows_that_are_missing(tmp_path: Path) -> None:
    path = written(tmp_path / "p.parquet")
    table = parquet.read_table(path)
    parquet.write_table(table.slice(1), path)
    with pytest.raises(EvaluationError, match="expected 3 images in their order"):
        read_label_predictions(path)


def test_a_damaged_file(tmp_path: Path) -> None:
    path = written(tmp_path / "p.parquet")
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196  # the rows; what the file says of itself stands at its end
    path.write_bytes(content)
    with pytest.raises(
        EvaluationError, match=r"p.parquet: can't be read \(.*\); make it anew with densezoo test --predictions"
    ):
        read_label_predictions(path)
