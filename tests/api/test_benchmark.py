"""What is stored of a benchmark: machine, versions and figures; of files a row each, and torchfile's time."""

from __future__ import annotations

import dataclasses
import json
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmark_runs import SMALL, HereAnswering

from densezoo import api
from densezoo.benchmarks import inference, training
from densezoo.benchmarks.evaluation import Evaluations
from densezoo.benchmarks.inference import Settings
from densezoo.errors import BenchmarkError, FormatError
from densezoo.paths import ROOT
from densezoo.results.benchmarks import read_benchmark
from densezoo.types import Contestant

T7 = ROOT / "tests/fixtures/torch7/00_tiny_bc_d10_k4.t7"
PTH = ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth"


def test_a_row_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(Path(name).name)
        if name.endswith(".t7"):
            return {}
        raise ValueError("no Torch7 file")

    monkeypatch.setitem(sys.modules, "torchfile", SimpleNamespace(load=load))
    path, rows = api.benchmark_formats([T7, PTH], rounds=2, folder=tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "formats.json"
    stored = json.loads(path.read_text())
    assert (stored["files"], stored["rounds"]) == (rows, 2)
    assert {"versions", "date", "commit"} < set(stored)
    read, refused = rows
    assert asked == [T7.name] * 3 + [PTH.name]  # tried once, then run in each round
    assert (read["file"], read["mib"]) == (T7.name, T7.stat().st_size / 2**20)
    assert read["torchfile_seconds"] is not None
    assert read["ratio"] == read["torchfile_seconds"] / read["seconds"]
    assert (refused["torchfile_seconds"], refused["ratio"]) == (None, None)


def test_a_file_that_can_t_be_loaded_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"<html>")
    with pytest.raises(FormatError, match=r"a.pth: this is an HTML page"):
        api.benchmark_formats([tmp_path / "a.pth"], folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contestants answer in this process."""
    monkeypatch.setattr(inference, "Child", HereAnswering)
    monkeypatch.setattr(training, "Child", HereAnswering)
    monkeypatch.setattr("densezoo.benchmarks.measuring.CEILING_SIDE", 64)


SETTINGS = Settings(["eager"], batch_sizes=[1], seconds=0.0, rounds=2)


@pytest.mark.parametrize("measure", [api.benchmark_inference, api.benchmark_training])
def test_what_is_stored_has_machine_versions_and_commit(
    here: None, tmp_path: Path, measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(sys, "argv", ["densezoo", "benchmark", "--what", "x"])
    path, benchmark = measure(SMALL, SETTINGS, folder=tmp_path / "new", say=said.append)
    best = benchmark.machine.instruction_sets[-1]
    assert path.name == f"{benchmark.what}.{best}.densenet_bc_22_8_digits.json"
    assert read_benchmark(path).contestants[0].name == "densezoo eager"
    assert benchmark.instruction_set == best
    assert benchmark.machine.cores >= 1
    assert benchmark.versions["torch"] == metadata.version("torch")
    assert benchmark.multiply_adds == 858_956
    assert len(benchmark.ceilings["float32"]) == 2
    assert benchmark.command == "densezoo benchmark --what x"
    assert said[-1] == "round 2 of 2 done"


def test_an_instruction_set_that_the_machine_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densezoo.results.machine.has_instruction_sets", lambda text: ("avx2",))
    with pytest.raises(BenchmarkError, match="--instruction-set amx: this machine's CPU has avx2$"):
        api.benchmark_inference(SMALL, dataclasses.replace(SETTINGS, instruction_set="amx"), folder=tmp_path)


def test_nothing_is_stored_where_nothing_was_measured(here: None, tmp_path: Path) -> None:
    failing = dataclasses.replace(SETTINGS, backends=[], against=["timm"])
    with pytest.raises(BenchmarkError, match="nothing was measured: timm: builder 'timm' can't express"):
        api.benchmark_inference(SMALL, failing, folder=tmp_path / "new", say=lambda line: None)
    assert not (tmp_path / "new").exists()


def test_a_whole_evaluation_is_stored_under_its_number_of_images(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Evaluations] = []

    def measure(subject: object, settings: object, sets: Evaluations, folder: Path, say: object) -> list[Contestant]:
        asked.append(sets)
        return [Contestant(name="densezoo eager", instruction_set="the best", rates={}, seconds=(2.0, 3.0))]

    monkeypatch.setattr("densezoo.api.benchmark.measure_evaluations", measure)
    monkeypatch.setattr("densezoo.benchmarks.inference.Child", HereAnswering)
    path, benchmark = api.benchmark_evaluation(SMALL, SETTINGS, tmp_path, images=50, clones=[tmp_path], folder=tmp_path)
    assert path.name.endswith(".densenet_bc_22_8_digits.50.json")
    assert benchmark.images == 50
    assert (asked[0].data_root, asked[0].images, asked[0].clones) == (tmp_path.resolve(), 50, [tmp_path])
