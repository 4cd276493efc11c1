from __future__ import annotations

import dataclasses

from examples import example_benchmark

from densezoo.results.site.speed import comparable, speeds, speeds_of
from densezoo.results.site.zoo import Zoo
from densezoo.types import Load


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


def test_of_conditions_with_as_many_models_the_fastest_count() -> None:
    """Whatever their order, and however often one of them is stored."""
    slow = dataclasses.replace(example_benchmark(), load=Load(0.1, 0.01))
    faster = [
        dataclasses.replace(each, rates={size: tuple(2 * rate for rate in rates) for size, rates in each.rates.items()})
        for each in slow.contestants
    ]
    fast = dataclasses.replace(slow, threads=slow.threads + 1, contestants=tuple(faster))
    for order in ([slow, fast], [fast, slow], [slow, slow, fast]):
        (shown,) = comparable(speeds(order))
        assert shown.machine.endswith(f"{fast.threads} threads")


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
