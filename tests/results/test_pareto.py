"""Accuracy against cost: which models nothing beats, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import example_benchmark, example_result

from densezoo.errors import QueryError
from densezoo.index.load import get_spec
from densezoo.results.pareto import COSTS, Point, draw_pareto, front, points
from densezoo.results.site.speed import speeds
from densezoo.types import Accuracy

POINTS = [
    Point("small", 70.0, False, {"params": 1.0, "speed": 50.0}),
    Point("worse", 69.0, False, {"params": 2.0, "speed": 40.0}),
    Point("same", 70.0, False, {"params": 3.0}),
    Point("large", 80.0, True, {"params": 4.0, "speed": 10.0}),
]


def test_the_best_are_those_that_none_beats_in_both() -> None:
    assert [point.name for point in front(POINTS, "params")] == ["small", "large"]
    assert [point.name for point in front(reversed(POINTS), "speed")] == ["small", "large"]
    assert front(POINTS, "flops") == []
    for cost, sign in (("params", 1), ("speed", -1)):
        own = [point for point in POINTS if cost in point.costs]
        best = {point.name for point in front(own, cost)}
        for point in own:
            beaten = any(
                other.top1 >= point.top1
                and sign * other.costs[cost] <= sign * point.costs[cost]
                and (other.top1, other.costs[cost]) != (point.top1, point.costs[cost])
                for other in own
            )
            assert beaten == (point.name not in best)


def test_a_model_s_point() -> None:
    spec = get_spec("densenet121.tv_in1k")
    found = points([Accuracy(spec, spec.headline), Accuracy(spec)], speeds([example_benchmark()]))
    assert found == [
        Point(spec.name, 74.434, False, {"params": 7.978856, "flops": 2.834161664, "speed": 40.0}),
    ]
    (measured,) = points([Accuracy(spec, spec.headline, example_result(top1=74.0))], [])
    assert (measured.top1, measured.is_measured, sorted(measured.costs)) == (74.0, True, ["flops", "params"])


def test_what_is_drawn(tmp_path: Path) -> None:
    draw_pareto(tmp_path / "p.svg", POINTS, list(COSTS), "Top-1 on digits", "a CPU", "dark")
    text = (tmp_path / "p.svg").read_text()
    for words in ("Top-1 on digits", "images a second (a CPU)", "parameters, millions", "small", "large", "the best"):
        assert f"<!-- {words} -->" in text
    assert "<!-- worse -->" not in text
    assert "multiply-adds" not in text  # nobody has any
    with pytest.raises(QueryError, match="t: no model has a top-1 and one of flops"):
        draw_pareto(tmp_path / "p.svg", POINTS, ["flops"], "t")
