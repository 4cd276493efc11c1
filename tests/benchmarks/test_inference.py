"""Networks timed alone: who is timed, who is refused, and what is kept of each round."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from benchmark_runs import HereAnswering, small_subject

from densezoo.benchmarks import inference
from densezoo.benchmarks.inference import Settings, contestants, largest_error, measure_inference
from densezoo.benchmarks.worker import Worker
from densezoo.errors import BenchmarkError
from densezoo.types.benchmark import ITS_OWN


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "Child", HereAnswering)
    monkeypatch.setattr(HereAnswering, "started", [])
    monkeypatch.setattr("densezoo.benchmarks.measuring.CEILING_SIDE", 64)


def settings(**values: object) -> Settings:
    given = {"backends": ["eager"], "batch_sizes": [1, 2], "seconds": 0.0, "rounds": 3, **values}
    return Settings(**given)  # type: ignore[arg-type]


def test_each_round_measures_every_batch_size(tmp_path: Path) -> None:
    said: list[str] = []
    (own,), ceilings = measure_inference(small_subject(tmp_path), settings(), said.append)
    assert (own.name, own.precision, own.instruction_set) == ("densezoo eager", "float32", "the best")
    assert {batch: len(rates) for batch, rates in own.rates.items()} == {"1": 3, "2": 3}
    assert own.latency is not None
    assert 0 < own.latency.p50 <= own.latency.p90 <= own.latency.p99
    assert own.latency.calls >= 15
    assert own.error == 0.0
    assert own.peak_memory
    assert len(ceilings["float32"]) == 3
    assert set(ceilings) <= {"float32", "fma"}  # fma where the native engine is built
    assert said == [f"round {number} of 3 done" for number in (1, 2, 3)]


def test_what_can_t_run_the_network_is_not_measured_and_says_why(tmp_path: Path) -> None:
    said: list[str] = []
    found, _ = measure_inference(small_subject(tmp_path), settings(against=["timm"], rounds=1), said.append)
    assert [c.name for c in found] == ["densezoo eager", "timm", "timm channels-last"]
    assert not found[1].rates
    assert "builder 'timm' can't express" in str(found[1].not_measured)
    assert said[0].startswith("timm float32: not measured: builder 'timm' can't express")


def test_what_computes_something_else_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One logit that is 1e-4 of the largest off is enough."""
    right = Worker.logits
    numbers = iter([0.0, 1e-4])  # the reference, then the contestant

    def logits(worker: Worker, number: int) -> list[list[float]]:
        found = right(worker, number)
        found[0][0] += next(numbers) * max(abs(x) for row in found for x in row)
        return found

    monkeypatch.setattr(Worker, "logits", logits)
    (own,), _ = measure_inference(small_subject(tmp_path), settings(rounds=1), lambda line: None)
    assert own.error == pytest.approx(1e-4, rel=0.01)
    assert str(own.not_measured).startswith("computes something else: its logits differ from eager's by 1.0e-04")
    assert (own.rates, own.latency) == ({}, None)


def test_a_contestant_that_fails_in_a_later_round_has_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([1.0, 1.0])
    monkeypatch.setattr(Worker, "throughput", lambda self, batch, seconds: next(calls))
    (own,), _ = measure_inference(small_subject(tmp_path), settings(), lambda line: None)
    assert "StopIteration" in str(own.not_measured)
    assert own.rates == {}


def test_all_are_held_to_the_same_instructions_and_threads(tmp_path: Path) -> None:
    held = settings(instruction_set="avx2", threads=1, rounds=1)
    (own,), _ = measure_inference(small_subject(tmp_path), held, lambda line: None)
    assert own.instruction_set == "avx2"
    assert len(HereAnswering.started) == 3  # eager as the reference, the contestant, the matrix products
    for environment in HereAnswering.started:
        assert environment["ONEDNN_MAX_CPU_ISA"] == "AVX2"
        assert environment["OMP_NUM_THREADS"] == "1"


def test_contestants_have_the_precisions_that_they_have() -> None:
    rows = contestants(settings(against=["timm", "onnxruntime"], precisions=["float32", "bf16"]))
    assert [row[:3] for row in rows if row[0] != "densezoo eager"] == [
        ("timm", "float32", True),
        ("timm", "bf16", True),
        ("timm channels-last", "float32", True),
        ("timm channels-last", "bf16", True),
        ("onnxruntime", "float32", False),
    ]
    assert ("densezoo eager", "float32") in [row[:2] for row in rows]
    assert [row[0] for row in contestants(settings(against=["onnxruntime"], device="cuda"))] == ["densezoo eager"]
    with pytest.raises(BenchmarkError, match="--against keras: there is no such program; expected some of timm, torch"):
        contestants(settings(against=["keras"]))


def test_what_chooses_its_instructions_is_said_to() -> None:
    running = inference.Running("onnxruntime", "float32", HereAnswering({}), False, 1e-5, None)  # type: ignore[arg-type]
    assert running.result("avx2").instruction_set == ITS_OWN


def test_the_largest_error_is_relative_to_the_largest_logit() -> None:
    assert largest_error([[1.0, -4.0], [2.0, 2.5]], [[1.0, -5.0], [2.0, 2.0]]) == 0.2
    assert math.isnan(largest_error([[math.nan, 1.0]], [[1.0, 2.0]]))
