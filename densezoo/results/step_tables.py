"""The table of the first steps of recipes, as they were taken on the machine at hand."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.results.markdown import markdown
from densezoo.results.speed_tables import NOT_MEASURED, short_commit
from densezoo.results.statistics import spread
from densezoo.types.benchmark import Benchmark

LAST = 5  # steps whose losses the mean is taken over


def steps_table(benchmarks: Sequence[Benchmark]) -> str:
    """A row a config: time and memory of its first steps, and how the loss went.

    Args:
        benchmarks: of the kind "steps".
    """
    rows = [_row(each) for each in sorted(benchmarks, key=lambda each: each.model)]
    return markdown(rows) if rows else f"{NOT_MEASURED.capitalize()}.\n"


def _row(benchmark: Benchmark) -> dict[str, str]:
    (contestant,) = benchmark.contestants
    images, losses = int(contestant.best_batch or 0), contestant.losses
    seconds = spread([images / rate for rate in contestant.best_rates])
    last = losses[-LAST:]
    fewer = "" if len(last) == LAST else f" (of {len(last)})"
    return {
        "config": f"`{benchmark.model}`",
        "images": contestant.note or "",
        "px": str(benchmark.image_size),
        "a step": str(images),
        "precision": contestant.precision,
        "steps": str(len(losses)),
        "s a step": f"{seconds.median:.3g} ({seconds.low:.3g} to {seconds.high:.3g})",
        "peak": f"{(contestant.peak_memory or 0) / 2**20:,.0f} MiB",
        "first loss": f"{losses[0]:.3f}",
        f"mean of the last {LAST}": f"{sum(last) / len(last):.3f}{fewer}",
        "where": f"{benchmark.machine.gpu or benchmark.machine.cpu}, {benchmark.threads} threads, "
        f"others' load {100 * benchmark.load.others:.0f} %",
        "commit": short_commit(benchmark),
    }
