"""Measures times of several functions in interleaved runs, so that a busy moment slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def interleaved_medians(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """{name: median seconds} of several functions; in each round every function runs once.

    Args:
        runs: {name: function}.
        rounds: of all functions.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def load_with_torchfile(path: Path) -> object | None:
    """A Torch7 file as PyPI's torchfile loads it; None if that isn't installed or can't read it.

    Args:
        path: the file.
    """
    try:
        import torchfile

        loaded: object = torchfile.load(str(path))
        return loaded
    except Exception:  # torchfile raises many kinds of errors
        return None
