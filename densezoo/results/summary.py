"""A result as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.results.store import conditions
from densezoo.types import EvalResult


def summary(result: EvalResult) -> str:
    """A few lines: what was measured, under what, and how sure it is."""
    return "\n".join(
        [
            f"{result.model} on {result.dataset}, protocol {conditions(result)}",
            _line("top-1", result.top1, result.interval95, result.correct1, result.num_samples),
            _line("top-5", result.top5, result.interval95_top5, result.correct5, result.num_samples),
            f"  {result.num_samples:,} images in {result.seconds:.1f} s ({result.num_samples / result.seconds:.0f} "
            f"images/s), {result.backend} {result.precision} on {result.device}",
        ]
    )


def matrix(results: Sequence[EvalResult]) -> str:
    """One line a protocol: the same weights on the same images."""
    first = results[0]
    names = [conditions(result) for result in results]
    width = max(map(len, names))
    return "\n".join(
        [f"{first.model} on {first.dataset}, {first.num_samples:,} images in {first.seconds:.1f} s"]
        + [f"  {name:{width}}  top-1 {r.top1:6.2f} %  top-5 {r.top5:6.2f} %" for name, r in zip(names, results)]
    )


def _line(name: str, percent: float, interval: tuple[float, float], correct: int, total: int) -> str:
    low, high = interval
    return f"  {name} {percent:6.2f} %  (95 % interval {low:.2f} to {high:.2f})  {correct} of {total} images"
