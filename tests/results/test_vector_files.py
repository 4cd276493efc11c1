from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from examples import example_facts
from pyarrow import parquet

from densezoo.errors import ImageError, ResultError
from densezoo.results import vector_files
from densezoo.results.vector_files import write_vectors

ROWS = [(f"{i}.png", np.arange(4, dtype=np.float32) + i) for i in range(5)]


@pytest.mark.parametrize("number", [0, 1, 5])
def test_npy_with_its_names_beside(number: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    assert write_vectors(path, 4, iter(ROWS[:number]), example_facts) == number
    found = np.load(path)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.array([row for _, row in ROWS[:number]], np.float32).reshape(-1, 4))
    beside = json.loads((tmp_path / "a.json").read_text())
    assert beside["images"] == [name for name, _ in ROWS[:number]]
    assert beside["weights_sha256"] == example_facts().weights_sha256


@pytest.mark.parametrize("number", [0, 1, 5])
def test_parquet(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_files, "ROWS", 2)
    path = tmp_path / "a.parquet"
    assert write_vectors(path, 4, iter(ROWS[:number]), example_facts) == number
    found = parquet.read_table(path)
    assert found["image"].to_pylist() == [name for name, _ in ROWS[:number]]
    assert found["features"].to_pylist() == [row.tolist() for _, row in ROWS[:number]]
    assert json.loads(parquet.read_metadata(path).metadata[b"densezoo"])["model"] == example_facts().model


@pytest.mark.parametrize("name", ["a.npy", "a.parquet"])
def test_a_run_that_breaks_off_leaves_nothing(name: str, tmp_path: Path) -> None:
    def broken() -> Iterator[vector_files.Row]:
        yield ROWS[0]
        raise ImageError("1.png: broken")

    with pytest.raises(ImageError):
        write_vectors(tmp_path / name, 4, broken(), example_facts)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ResultError, match=r"features can't be written \(No such file"):
        write_vectors(tmp_path / "nowhere" / name, 4, iter(ROWS), example_facts)
