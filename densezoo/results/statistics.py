"""Medians, spreads, percentiles and ratios of measured times."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What several rounds gave.

    Args:
        median, low, high: of the rounds; low and high are the lowest and the highest.
    """

    median: float
    low: float
    high: float


def spread(rounds: Sequence[float]) -> Spread:
    """Median, lowest and highest.

    Args:
        rounds: at least one value.
    """
    return Spread(statistics.median(rounds), min(rounds), max(rounds))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least ``percent`` of them don't exceed (nearest rank: a value that occurred).

    Args:
        values: at least one.
        percent: above 0, at most 100.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def ratio(first: Sequence[float], second: Sequence[float]) -> Spread:
    """How many times as much as the second the first is, round by round.

    In one round both ran one after the other on an equally busy machine, so that a busy moment changes both values of
    a ratio and not one.

    Args:
        first, second: equally many rounds of both, in order.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"expected equally many rounds, at least one; found {len(first)} and {len(second)}")
    return spread([a / b for a, b in zip(first, second)])
