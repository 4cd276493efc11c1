from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import example_facts
from pyarrow import parquet

from densezoo.errors import MissingDependencyError, ResultError
from densezoo.results import predicted
from densezoo.types import Answer, LabelAreas, LabelAuc, Prediction, RunFacts

LONG = "a name that is longer than a terminal's column of names"
PREDICTIONS = [
    Prediction("a.png", (Answer(151, "Chihuahua", 0.75), Answer(3, LONG, 0.2), Answer(7, "7", 0.05))),
    Prediction("b, c.png", (), error="b, c.png: can't be decoded"),
    Prediction("d.png", (Answer(8, 'ship, "great"', 1.0),), truncated=True),
]


def facts() -> RunFacts:
    return dataclasses.replace(example_facts(), model="densenet121.tv_in1k", protocol="torchvision")


def test_a_table_has_a_bar_an_answer_and_fits_80_columns() -> None:
    lines = list(predicted.table(PREDICTIONS, facts))
    assert lines[:3] == [
        "densenet121.tv_in1k, protocol torchvision",
        "a.png",
        f"   75.00 %  151 Chihuahua{' ' * 23}  {'█' * 21}",
    ]
    assert lines[3] == f"   20.00 %  3 {LONG[:31]}...  █████▋"
    assert lines[4] == f"    5.00 %  7{' ' * 35}  █▍"
    assert lines[5:] == ["b, c.png", "  can't be read: can't be decoded", "d.png", lines[-1]]
    assert lines[-1] == f'  100.00 %  8 ship, "great"{" " * 21}  {"█" * 28}'
    assert all(len(line) <= 80 for line in lines)
    plain = list(predicted.table(PREDICTIONS, facts, unicode=False))
    assert plain[2].endswith(f"  {'#' * 21}")
    assert "\n".join(plain).isascii()


def test_a_dict_an_image() -> None:
    assert list(predicted.as_dicts(PREDICTIONS, facts)) == ["{151: 'Chihuahua'}", "{}", "{8: 'ship, \"great\"'}"]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_json_ends_with_the_areas_of_labels(number: int) -> None:
    areas = LabelAreas(2, 1, (LabelAuc("cat", 1, 1, 1.0, (0.0, 1.0)),), 1.0)
    plain = list(predicted.as_json(PREDICTIONS[:number], facts))
    lines = list(predicted.as_json(PREDICTIONS[:number], facts, lambda: areas))
    assert lines[:-1] == plain[:-1]
    expected = {"name": "cat", "positives": 1, "negatives": 1, "auc": 1.0, "interval95": [0.0, 1.0]}
    found = json.loads("\n".join(lines))
    assert found.pop("areas") == {"num_images": 2, "left_out": 1, "labels": [expected], "mean_auc": 1.0}
    assert found == json.loads("\n".join(plain))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_json_is_one_object_with_a_prediction_a_line(number: int) -> None:
    lines = list(predicted.as_json(PREDICTIONS[:number], facts))
    found = json.loads("\n".join(lines))
    assert (found["model"], found["protocol"], found["weights_sha256"]) == (
        "densenet121.tv_in1k", "torchvision", facts().weights_sha256,
    )  # fmt: skip
    assert [each["image"] for each in found["predictions"]] == [each.image for each in PREDICTIONS[:number]]
    assert len(lines) == max(1, number + 1)
    if number == 3:
        assert found["predictions"][0]["answers"][0] == {"class": 151, "name": "Chihuahua", "probability": 0.75}
        assert [each["error"] for each in found["predictions"]] == [None, "can't be decoded", None]
        assert [each["truncated"] for each in found["predictions"]] == [False, False, True]


def test_json_comes_as_it_is_made() -> None:
    def endless() -> Iterator[Prediction]:
        yield from PREDICTIONS
        pytest.fail("no line waits for the last prediction")

    lines = predicted.as_json(endless(), facts)
    assert '"a.png"' in [next(lines), next(lines)][1]


def test_csv_quotes_what_it_must() -> None:
    lines = list(predicted.as_csv(PREDICTIONS, facts))
    found = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert [(row["image"], row["rank"], row["class"], row["name"]) for row in found] == [
        ("a.png", "1", "151", "Chihuahua"),
        ("a.png", "2", "3", LONG),
        ("a.png", "3", "7", "7"),
        ("b, c.png", "", "", ""),
        ("d.png", "1", "8", 'ship, "great"'),
    ]
    assert float(found[0]["probability"]) == 0.75
    assert found[3]["error"] == "can't be decoded"


def test_parquet_is_written_as_predictions_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicted, "ROWS", 2)
    path = tmp_path / "a.parquet"
    passing = predicted.write_parquet(path, PREDICTIONS, facts)
    assert next(passing) == PREDICTIONS[0]
    assert not path.exists()
    assert list(passing) == PREDICTIONS[1:]
    found = parquet.read_table(path)
    assert found.column_names == list(predicted.COLUMNS)
    assert [tuple(row.values()) for row in found.to_pylist()] == [row for p in PREDICTIONS for row in predicted.rows(p)]
    assert json.loads(found.schema.metadata[b"densezoo"])["model"] == "densenet121.tv_in1k"
    assert path.stat().st_mode & 0o444 == 0o444


def test_no_predictions_are_a_file_without_rows(tmp_path: Path) -> None:
    assert list(predicted.write_parquet(tmp_path / "a.parquet", [], facts)) == []
    assert parquet.read_table(tmp_path / "a.parquet").num_rows == 0


def test_a_run_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    passing = predicted.write_parquet(tmp_path / "a.parquet", PREDICTIONS, facts)
    next(passing)
    passing.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResultError, match=r"nowhere/a.parquet: predictions can't be written \(No such file"):
        next(predicted.write_parquet(tmp_path / "nowhere/a.parquet", PREDICTIONS, facts))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match="a file of predictions needs pyarrow"):
        next(predicted.write_parquet(tmp_path / "a.parquet", PREDICTIONS, facts))
