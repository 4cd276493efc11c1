"""The end of a run: records of all processes, results, what is stored and what is removed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import example_facts, example_images
from small_run import Evaluate, numbers, small_run

from densezoo.errors import EvaluationError
from densezoo.evaluation import distributed
from densezoo.evaluation.finish import finish, sum_over_processes
from densezoo.evaluation.metrics import RECORD, Counts, measure, wilson_interval
from densezoo.evaluation.options import StoreOptions
from densezoo.evaluation.record_log import RecordLog
from densezoo.protocols import get_protocol
from densezoo.results.store import read_results
from densezoo.types import Coverage, EvalResult


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    return small_run(tmp_path)


def test_a_deleted_output_folder_loses_no_number(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = evaluate(out=None)

    def deleted(*arguments: Any) -> list[EvalResult]:
        shutil.rmtree(tmp_path / "out")
        return finish(*arguments)

    monkeypatch.setattr("densezoo.evaluation.run.finish", deleted)
    (result,) = evaluate()
    assert numbers(result) == numbers(whole)
    assert len(list(tmp_path.glob("out/*/*.json"))) == 1


PERFECT = {"correct1": 2, "correct5": 2, "top1": 100.0, "top5": 100.0}


def log_of(path: Path, indices: list[int], protocols: int) -> RecordLog:
    """A log of one step an image, in which every image's label comes first."""
    log = RecordLog(path, {})
    for index in indices:
        records = np.zeros(protocols, RECORD)
        records["index"], records["protocol"] = index, range(protocols)
        log.append(records, 0.25)
    return log


def test_a_result_a_protocol_is_stored_before_the_log_is_removed(tmp_path: Path) -> None:
    protocols, facts = [get_protocol("cifar10"), get_protocol("none")], example_facts(protocol="all")
    with log_of(tmp_path / "state", [1, 0], 2) as log:
        results = finish(log, example_images(2), protocols, 7, facts, StoreOptions(tmp_path / "out"))
    assert [result.protocol for result in results] == ["cifar10", "none"]
    for result in results:
        assert {name: getattr(result, name) for name in PERFECT} == PERFECT
        assert (result.num_samples, result.seconds, result.coverage) == (2, 0.5, Coverage(2, 2, (), 0))
    assert sorted(read_results(tmp_path / "out"), key=lambda result: result.protocol) == results
    assert not (tmp_path / "state").exists()


def test_a_run_that_lost_an_image_stores_nothing_and_keeps_its_log(tmp_path: Path) -> None:
    with log_of(tmp_path / "state", [1], 1) as log:
        with pytest.raises(EvaluationError, match="2 images were to be scored once each; 1 were not scored"):
            finish(log, example_images(2), [get_protocol("none")], 7, example_facts(), StoreOptions(tmp_path / "out"))
        assert (tmp_path / "state").exists()
    assert not (tmp_path / "out").exists()


def test_the_records_of_all_processes_are_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with log_of(tmp_path / "one", [0, 2], 2) as one, log_of(tmp_path / "two", [1], 2) as two:
        others = measure(two, 7, 3, 2)
        monkeypatch.setattr(distributed, "gather", lambda own: [own, others])
        for summed in sum_over_processes(one, 7, 3, 2):
            assert summed.times_scored.tolist() == [1, 1, 1]
            assert summed.counts() == Counts(3, 3, 3)


def test_each_number_is_its_own_and_results_come_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process took 7.5 s; no process removes its state before the main one has stored the results."""
    seen = []

    def gather(own: object) -> list[object]:
        if own is None:
            seen.append(((tmp_path / "state").exists(), len([*tmp_path.glob("out/*/*.json")])))
        return [own, 7.5] if isinstance(own, float) else [own]

    monkeypatch.setattr(distributed, "gather", gather)
    with RecordLog(tmp_path / "state", {}) as log:
        records = np.zeros(4, RECORD)
        records["index"], records["rank"] = range(4), [0, 0, 3, 6]
        log.append(records, 1.0)
        options = example_images(4), [get_protocol("none")], 7
        sampled = example_facts(sampled_from=10)
        (result,) = finish(log, *options, example_facts(), StoreOptions(tmp_path / "out"))
    assert seen == [(True, 1)]
    assert (result.correct1, result.top1, result.interval95) == (2, 50.0, wilson_interval(2, 4))
    assert (result.correct5, result.top5, result.interval95_top5) == (3, 75.0, wilson_interval(3, 4))
    assert result.seconds == 7.5
    with RecordLog(tmp_path / "state", {}) as log:
        log.append(records, 1.0)
        (result,) = finish(log, *options, sampled, StoreOptions())
    assert result.coverage == Coverage(10, 4, (), 0)
