"""Benchmarks as nouns: the best batch size, and what one run can't hold."""

from __future__ import annotations

import dataclasses

import pytest
from examples import example_benchmark

from densezoo.errors import ResultError
from densezoo.types import Contestant


def test_the_batch_size_with_the_highest_median_is_the_best() -> None:
    rates = {"1": (10.0, 11.0, 90.0), "4": (20.0, 30.0, 25.0), "16": (24.0, 23.0, 99.0)}
    contestant = Contestant(name="densezoo eager", instruction_set="avx2", rates=rates)
    assert (contestant.best_batch, contestant.best_rates) == ("4", (20.0, 30.0, 25.0))
    nothing = Contestant(name="timm", instruction_set="avx2", rates={}, not_measured="not installed")
    assert (nothing.best_batch, nothing.best_rates) == (None, ())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "timm"}, "expected every name once"),
        ({"rates": {"1": (1.0, 2.0)}}, "as many rounds of each"),
        ({"rates": {"1": (1.0, 2.0, 0.0)}}, "all above 0"),
    ],
)
def test_a_run_that_can_t_be_is_refused(changed: dict[str, object], message: str) -> None:
    benchmark = example_benchmark()
    wrong = dataclasses.replace(benchmark.contestants[0], **changed)  # type: ignore[arg-type]
    with pytest.raises(ResultError, match=message):
        dataclasses.replace(benchmark, contestants=(wrong, *benchmark.contestants[1:]))
