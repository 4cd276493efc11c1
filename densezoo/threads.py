"""How many threads torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread until the block ends.

    For many short steps: on a busy machine torch's threads wait for each other in a loop. Loading a densenet121 took
    up to 5 s of CPU with all threads, and takes 0.2 s with one.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
