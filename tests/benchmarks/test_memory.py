"""Memory of training, measured in rounds: names, losses, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_runs import HereAnswering, small_subject

from densezoo.benchmarks import training
from densezoo.benchmarks.inference import Settings
from densezoo.benchmarks.memory import measure_memory, programs
from densezoo.benchmarks.worker import Worker
from densezoo.errors import BenchmarkError, UnknownNameError


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "Child", HereAnswering)


SETTINGS = Settings([], batch_sizes=[1, 2], seconds=0.0, rounds=2)


def test_each_contestant_has_rates_and_what_it_kept(tmp_path: Path) -> None:
    plain, shared = measure_memory(small_subject(tmp_path), SETTINGS, ["none", "shared"], ["contiguous"], print)
    assert (plain.name, shared.name) == ("densezoo none", "densezoo shared")
    assert [len(each.rates["2"]) for each in (plain, shared)] == [2, 2]
    assert plain.kept is not None
    assert shared.kept is not None
    assert shared.kept < 0.5 * plain.kept
    assert shared.error is not None
    assert shared.error < 1e-5


def test_another_loss_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 1.01, 1.0])
    monkeypatch.setattr(Worker, "training_memory", lambda self, task, batch, seconds: (5.0, next(losses), 7))
    plain, shared = measure_memory(small_subject(tmp_path), SETTINGS, ["none", "shared"], ["contiguous"], print)
    assert (plain.kept, shared.kept) == (7, None)
    assert shared.not_measured == "its first loss is 1.010000, and densezoo's 1.000000"


def test_the_programs(tmp_path: Path) -> None:
    subject = small_subject(tmp_path)
    assert programs(subject, ["torchvision"], ["shared"], ["contiguous", "channels-last"]) == [
        "densezoo shared",
        "densezoo shared channels-last",
        "torchvision",
        "torchvision channels-last",
        "torchvision memory_efficient",
        "torchvision memory_efficient channels-last",
    ]
    assert len(programs(subject, [], [], ["contiguous"])) == 4
    with pytest.raises(UnknownNameError, match="memory mode 'share'"):
        programs(subject, [], ["share"], [])
    with pytest.raises(UnknownNameError, match="layout 'nhwc'"):
        programs(subject, [], [], ["nhwc"])
    with pytest.raises(BenchmarkError, match="--against timm: what is kept for backward is known of torchvision, gple"):
        programs(subject, ["timm"], [], [])
