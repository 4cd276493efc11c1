"""How many threads torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """While this lasts, torch computes in this thread alone.

    For many short steps: on a busy machine the threads of each wait for each other in a loop, and loading a
    densenet121 took up to 5 s of CPU, which takes 0.2 s.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
