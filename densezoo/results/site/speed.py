"""How fast models were measured to run, and under which conditions: only the same conditions can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import geometric_mean, mean

from densezoo.results.speed_tables import OWN, fastest, rates
from densezoo.results.statistics import Spread, spread
from densezoo.types import Benchmark, ModelSpec

IDLE = 0.1  # share of the cores' time that other processes take of a machine that counts as idle


@dataclass(frozen=True)
class Speed:
    """Images a second of a model with the fastest of densezoo's backends in float32.

    Args:
        model: as the benchmark names it: a model, an architecture or a config.
        image_size: side in pixels.
        rate: images a second: median, lowest and highest of the rounds.
        backend: that was the fastest.
        machine: CPU or GPU, instruction set, threads.
        others: share of the cores' time, 0 to 1, that other processes took.
        date: the day.
    """

    model: str
    image_size: int
    rate: Spread
    backend: str
    machine: str
    others: float
    date: str

    @property
    def is_idle(self) -> bool:
        """Whether hardly anything else ran on the machine."""
        return self.others < IDLE

    @property
    def conditions(self) -> str:
        """The machine and whether it was shared: figures under other conditions are not comparable."""
        return f"{self.machine}, {'idle otherwise' if self.is_idle else 'busy with other work'}"


def speeds(benchmarks: Iterable[Benchmark]) -> list[Speed]:
    """The speeds of inference among stored benchmarks; those without a figure of densezoo's are left out.

    Args:
        benchmarks: of all kinds.
    """
    speeds = []
    for each in benchmarks:
        best = fastest(each)
        if each.what == "inference" and best is not None:
            threads = f"{each.threads} thread{'s' * (each.threads != 1)}"
            speeds.append(
                Speed(
                    model=each.model,
                    image_size=each.image_size,
                    rate=spread(rates(each, best)),
                    backend=best.name.removeprefix(OWN),
                    machine=f"{each.machine.gpu or each.machine.cpu}, {each.instruction_set}, {threads}",
                    others=each.load.others,
                    date=each.date[:10],
                )
            )
    return speeds


def speeds_of(spec: ModelSpec, image_size: int | None, measured: Iterable[Speed]) -> list[Speed]:
    """The speeds of a model's network at one image size, the least disturbed first.

    Args:
        spec: the model.
        image_size: side in pixels; None: any.
        measured: of `speeds`.
    """
    names = (spec.name, spec.arch, PurePosixPath(spec.config).stem)
    own = [each for each in measured if each.model in names and image_size in (None, each.image_size)]
    return sorted(own, key=lambda each: each.others)


def comparable(measured: Sequence[Speed]) -> list[Speed]:
    """Those on an idle machine under the conditions under which the most models were measured.

    Of conditions with as many models those are taken under which the models and image sizes that all of them have in
    common ran fastest: the rates' geometric mean. Where they have none in common, or ran equally fast, those with the
    latest date are taken, and on the same day those whose `Speed.conditions` are last in the alphabet.

    Args:
        measured: of `speeds`.
    """
    by_conditions: dict[str, list[Speed]] = {}
    for each in measured:
        if each.is_idle:
            by_conditions.setdefault(each.conditions, []).append(each)
    if not by_conditions:
        return []
    most = max(map(_num_models, by_conditions.values()))
    chosen = [speeds for speeds in by_conditions.values() if _num_models(speeds) == most]
    common = set.intersection(*(set(_rates(speeds)) for speeds in chosen))

    def rank(speeds: Sequence[Speed]) -> tuple[float, str, str]:
        rates = _rates(speeds)
        rate = geometric_mean([rates[pair] for pair in sorted(common)]) if common else 0.0
        return rate, max(each.date for each in speeds), speeds[0].conditions

    return max(chosen, key=rank)


def _num_models(measured: Sequence[Speed]) -> int:
    return len({each.model for each in measured})


def _rates(measured: Sequence[Speed]) -> dict[tuple[str, int], float]:
    """{(model, image size): images a second}; of what was measured several times the mean of the medians."""
    rates: dict[tuple[str, int], list[float]] = {}
    for each in measured:
        rates.setdefault((each.model, each.image_size), []).append(each.rate.median)
    return {pair: mean(medians) for pair, medians in rates.items()}
