"""Things are timed in turn, and by their medians."""

from __future__ import annotations

import sys
import time
from functools import partial
from types import SimpleNamespace

import pytest

from densezoo.benchmarks.loading import interleaved_medians, load_with_torchfile
from densezoo.paths import ROOT


def test_each_round_runs_every_one_in_turn_and_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = [0.0], []
    seconds = {"a": iter([1.0, 50.0, 3.0]), "b": iter([7.0, 5.0, 6.0])}  # one slow round is no average's

    def run(name: str) -> None:
        order.append(name)
        clock[0] += next(seconds[name])

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    assert interleaved_medians({name: partial(run, name) for name in "ab"}, 3) == {"a": 3.0, "b": 6.0}
    assert order == ["a", "b"] * 3


def test_torchfile_is_left_out_where_it_is_missing_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "tests/fixtures/torch7/00_tiny_bc_d10_k4.t7"
    monkeypatch.setitem(sys.modules, "torchfile", None)
    assert load_with_torchfile(path) is None
    monkeypatch.setitem(sys.modules, "torchfile", SimpleNamespace(load=lambda name: {"read": name}))
    assert load_with_torchfile(path) == {"read": str(path)}

    def fail(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setitem(sys.modules, "torchfile", SimpleNamespace(load=fail))
    assert load_with_torchfile(path) is None
