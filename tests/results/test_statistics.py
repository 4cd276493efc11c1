"""Statistics of known numbers."""

from __future__ import annotations

import pytest

from densezoo.results.statistics import Spread, percentile, ratio, spread


def test_the_spread_is_the_median_the_lowest_and_the_highest() -> None:
    assert spread([5.0, 1.0, 3.0]) == Spread(3.0, 1.0, 5.0)
    assert spread([4.0, 1.0, 2.0, 8.0]) == Spread(3.0, 1.0, 8.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50.0), (90, 90.0), (99, 99.0), (100, 100.0), (0.5, 1.0), (50.5, 51.0)]
)
def test_a_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    hundred = [float(i) for i in range(100, 0, -1)]
    assert percentile(hundred, percent) == expected


def test_the_99th_percentile_of_few_calls_is_the_slowest() -> None:
    assert percentile([1.0, 9.0, 2.0], 99) == 9.0
    assert percentile([1.0, 9.0, 2.0], 50) == 2.0


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round in which everything is ten times as slow changes no ratio; the medians' ratio would be 8."""
    assert ratio([40.0, 4.0, 36.0], [10.0, 1.0, 4.5]) == Spread(4.0, 4.0, 8.0)
    with pytest.raises(ValueError, match="found 2 and 3"):
        ratio([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="found 0 and 0"):
        ratio([], [])
