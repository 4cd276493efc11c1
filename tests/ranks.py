"""Processes that work together, as torchrun starts them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence


def in_two_processes(work: Callable[[int], None], ends: Sequence[int] = (0, 0)) -> None:
    """Have two processes, or as many as ends, do their work, rank -> None; they are forked, which imports nothing."""
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=work, args=(rank,)) for rank in range(len(ends))]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(120)
    assert [rank.exitcode for rank in ranks] == [*ends]
