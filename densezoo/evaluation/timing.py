"""Times of things that are run side by side: interleaved, so that a busy moment falls on all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def interleaved_medians(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """{name: median seconds} over the rounds; in each round every one runs once, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def load_with_torchfile(path: Path) -> object | None:
    """What PyPI's torchfile makes of a Torch7 file; None where it isn't installed or can't read it."""
    try:
        import torchfile

        loaded: object = torchfile.load(str(path))
        return loaded
    except Exception:  # it raises whatever a byte that it didn't expect leads to
        return None
