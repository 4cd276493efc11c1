from __future__ import annotations

import dataclasses

import pytest
from examples import example_benchmark

from densezoo.results.site.speed import comparable, speeds, speeds_of
from densezoo.results.site.zoo import Zoo
from densezoo.types import Benchmark, Load


def test_only_an_idle_machine_s_figures_stand_in_one_column() -> None:
    idle = dataclasses.replace(example_benchmark(), load=Load(0.1, 0.01))
    busy = dataclasses.replace(idle, model="densenet161", load=Load(9.0, 0.7))
    other = dataclasses.replace(idle, model="densenet169", threads=idle.threads + 1)
    more = dataclasses.replace(idle, model="densenet201")
    measured = speeds([idle, busy, other, more])
    assert [each.model for each in measured] == [idle.model, "densenet161", "densenet169", "densenet201"]
    assert [each.model for each in comparable(measured)] == [idle.model, "densenet201"]
    assert measured[1].conditions.endswith("busy with other work")
    assert measured[0].rate.low <= measured[0].rate.median <= measured[0].rate.high
    assert comparable(speeds([busy])) == []


def times(factor: float, benchmark: Benchmark) -> Benchmark:
    """A benchmark on an idle machine, of which every program is so many times as fast."""
    faster = [
        dataclasses.replace(
            each, rates={size: tuple(factor * rate for rate in rates) for size, rates in each.rates.items()}
        )
        for each in benchmark.contestants
    ]
    return dataclasses.replace(benchmark, contestants=tuple(faster), load=Load(0.1, 0.01))


def test_of_conditions_with_as_many_models_the_fastest_count() -> None:
    """Whatever their order, and however often one of them is stored."""
    slow = times(1, example_benchmark())
    fast = times(2, dataclasses.replace(slow, threads=slow.threads + 1))
    for order in ([slow, fast], [fast, slow], [slow, slow, fast]):
        (shown,) = comparable(speeds(order))
        assert shown.machine.endswith(f"{fast.threads} threads")


@pytest.mark.parametrize("turned", [False, True])
def test_the_faster_conditions_are_so_by_what_all_of_them_measured(turned: bool) -> None:
    """A small network, which only the slower machine ran, makes its mean higher, and doesn't count."""
    slow = times(1, example_benchmark())
    fast = times(2, dataclasses.replace(slow, threads=slow.threads + 1))
    small = times(100, dataclasses.replace(slow, model="densenet_40_12", image_size=32))
    large = times(0.5, dataclasses.replace(fast, model="densenet161"))
    elsewhere = times(9, dataclasses.replace(slow, image_size=64))  # of the same model at another size
    order = [slow, small, fast, large, elsewhere]
    shown = comparable(speeds(order[::-1] if turned else order))
    assert {each.model for each in shown} == {"densenet121", "densenet161"}


@pytest.mark.parametrize("turned", [False, True])
def test_conditions_with_nothing_in_common_go_by_their_date_and_then_their_text(turned: bool) -> None:
    old = times(100, example_benchmark(model="densenet_40_12", date="2026-11-01T00:00:00+00:00"))
    new = times(1, dataclasses.replace(old, model="densenet161", threads=3, date="2026-11-02T00:00:00+00:00"))
    newest = dataclasses.replace(new, model="densenet169", threads=4)
    pairs = [([old, new], "densenet161"), ([old, new, newest], "densenet169")]
    for order, model in pairs:
        assert [each.model for each in comparable(speeds(order[::-1] if turned else order))] == [model]


def test_what_is_no_inference_says_nothing() -> None:
    assert speeds([dataclasses.replace(example_benchmark(), what="training")]) == []


def test_speed_belongs_to_an_image_size(zoo: Zoo) -> None:
    spec = zoo.specs["densenet121.tv_in1k"]
    busy = dataclasses.replace(example_benchmark(), load=Load(9.0, 0.7))
    measured = speeds([busy, dataclasses.replace(busy, load=Load(0.1, 0.01))])
    assert [each.is_idle for each in speeds_of(spec, 224, measured)] == [True, False]  # the least disturbed first
    assert speeds_of(spec, 288, measured) == []
    assert speeds_of(zoo.specs["densenet161.tv_in1k"], 224, measured) == []
    assert len(speeds_of(spec, None, measured)) == 2
