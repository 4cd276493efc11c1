"""Training steps of several packages: the same loss, then the time."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_runs import HereAnswering, small_subject

from densezoo.benchmarks import training
from densezoo.benchmarks.inference import Settings
from densezoo.benchmarks.training import measure_training
from densezoo.benchmarks.worker import Worker
from densezoo.errors import BenchmarkError


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "Child", HereAnswering)


def settings(**values: object) -> Settings:
    return Settings(**{"backends": [], "batch_sizes": [2], "seconds": 0.0, "rounds": 2, **values})  # type: ignore[arg-type]


def test_densezoo_in_both_layouts_has_one_loss(tmp_path: Path) -> None:
    said: list[str] = []
    first, second = measure_training(small_subject(tmp_path), settings(), said.append)
    assert (first.name, second.name) == ("densezoo eager", "densezoo eager channels-last")
    assert first.error == 0.0
    assert second.error is not None
    assert second.error < 1e-5
    assert [len(each.rates["2"]) for each in (first, second)] == [2, 2]
    assert said == ["round 1 of 2 done", "round 2 of 2 done"]


def test_another_loss_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 1.01])
    monkeypatch.setattr(Worker, "training", lambda self, task, batch, seconds: (5.0, next(losses)))
    found = measure_training(small_subject(tmp_path), settings(rounds=1), lambda line: None)
    assert found[0].rates == {"2": (5.0,)}
    assert found[1].not_measured == "its first loss is 1.010000, and densezoo's 1.000000"


def test_what_can_t_be_trained_says_why(tmp_path: Path) -> None:
    found = measure_training(small_subject(tmp_path), settings(against=["timm"], rounds=1), lambda line: None)
    assert [each.name for each in found][2:] == ["timm", "timm channels-last"]
    assert "builder 'timm' can't express" in str(found[2].not_measured)
    with pytest.raises(BenchmarkError, match="--against openvino: training steps are known of timm, torchvision"):
        measure_training(small_subject(tmp_path), settings(against=["openvino"]), lambda line: None)
