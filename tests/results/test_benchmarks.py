"""Stored benchmarks: what is written is read back, and what is no benchmark is refused by file and field."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from examples import example_benchmark

from densezoo.errors import ResultError
from densezoo.paths import RESULTS
from densezoo.results.benchmarks import FOLDER, benchmark_path, read_benchmark, read_benchmarks, write_benchmark


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    benchmark = example_benchmark()
    path = write_benchmark(tmp_path / "new", benchmark)
    assert path == tmp_path / "new" / "inference.avx2.densenet121.json"
    assert read_benchmark(path) == benchmark
    assert "null" not in path.read_text()
    (tmp_path / "new" / "formats.json").write_text("{}")  # another kind of file
    assert read_benchmarks(tmp_path / "new") == [benchmark]


def test_figures_have_six_digits(tmp_path: Path) -> None:
    path = write_benchmark(tmp_path, example_benchmark(ceilings={"float32": (85123456789.123, 1.0, 2 / 3)}))
    assert json.loads(path.read_text())["ceilings"] == {"float32": [85123500000.0, 1.0, 0.666667]}


def test_the_name_says_what_was_measured_on_which_instructions() -> None:
    evaluation = example_benchmark(what="evaluation", images=1000, model="a b/c", contestants=())
    assert benchmark_path(Path("x"), evaluation) == Path("x/evaluation.avx2.a-b-c.1000.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(threads="2"), r"avx2.densenet121.json: threads is '2'; expected a whole number"),
        (lambda v: v.update(wat=1), "unknown key 'wat'; did you mean 'what'"),
        (lambda v: v["contestants"][0].update(rates={"1": "fast"}), r"contestants\[0\]: rates"),
        (lambda v: v["contestants"][1].update(name="densezoo native"), "expected every name once"),
        (lambda v: v.update(instruction_set="avx512"), "holds another benchmark; expected the name inference.avx512"),
    ],
)
def test_a_file_that_is_no_benchmark_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = write_benchmark(tmp_path, example_benchmark())
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(ResultError, match=message):
        read_benchmarks(tmp_path)
    path.write_text("{")
    with pytest.raises(ResultError, match="not a stored benchmark"):
        read_benchmark(path)


def test_a_folder_that_can_t_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="can't be written .*choose another folder"):
        write_benchmark(tmp_path / "file", example_benchmark())


def test_what_the_repository_holds_can_be_read() -> None:
    for benchmark in read_benchmarks(RESULTS / FOLDER):
        assert dataclasses.is_dataclass(benchmark)
        assert benchmark.commit is not None
        assert any(c.rates or c.seconds for c in benchmark.contestants), benchmark.model
