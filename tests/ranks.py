"""Processes that work together, as torchrun starts them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence

import torch


def in_processes(work: Callable[[int], None], ends: Sequence[int] = (0, 0)) -> None:
    """Have as many processes as ends do their work, rank -> None, and end so; forking imports nothing."""
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=work, args=(rank,)) for rank in range(len(ends))]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(120)
    assert [rank.exitcode for rank in ranks] == [*ends]


def children_can_differentiate() -> bool:
    """Whether a child that is forked here can use autograd: not once a thread of autograd's ran in this process."""
    if (child := os.fork()) == 0:
        status = 1
        try:
            torch.autograd.backward(torch.ones(1, requires_grad=True).sum())
            status = 0
        finally:  # whatever happens, it doesn't go on as a second pytest
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
