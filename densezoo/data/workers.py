"""Processes that load batches, waited for with open eyes: one that is lost ends the run, and never in silence.

PyTorch's DataLoader notices a worker that dies. It waits for ever for a batch that got lost on its way, as happens in
a container whose /dev/shm is full (64 MB is Docker's default), and for a worker that hangs.
"""

from __future__ import annotations

import errno
import logging
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info

from densezoo.errors import EvaluationError

T = TypeVar("T")
Travelling: TypeAlias = "Tensor | NDArray[Any]"

POLL = 5.0  # seconds after which a batch that hasn't come is asked about
PATIENCE = 45.0  # seconds in which no worker has read an image, after which one counts as lost


@dataclass(frozen=True)
class Pulse:
    """How many images each worker has read so far, as the main process sees it.

    Args:
        workers: how many there are.
    """

    workers: int
    counts: Any = field(init=False)  # a shared array of ctypes

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", multiprocessing.Array("q", max(1, self.workers), lock=False))

    def beat(self) -> None:
        """Count one image of the worker that calls."""
        worker = get_worker_info()
        if worker is not None:
            self.counts[worker.id] += 1

    def total(self) -> int:
        """Images that all workers have read."""
        return sum(self.counts)


def watched(loader: DataLoader[Any], pulse: Pulse) -> Iterator[Any]:
    """The loader's batches.

    Args:
        loader: with ``timeout=POLL`` where it has workers; its dataset calls ``pulse.beat``.

    Raises:
        EvaluationError: a worker was killed, or none has read an image for PATIENCE seconds.
    """
    iterator = _begun(loader)
    seen, since = pulse.total(), time.monotonic()
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except RuntimeError as error:  # what DataLoader raises of its own, and hands on from a worker
            reason = str(error)
            if "DataLoader timed out" in reason:
                if pulse.total() != seen:
                    seen, since = pulse.total(), time.monotonic()
                if time.monotonic() - since < PATIENCE:
                    continue
                raise EvaluationError(
                    f"no process that decodes images has read one for {PATIENCE:.0f} s: one hangs, or what it sent is "
                    "lost; see whether the images can still be read, or try --workers 0"
                ) from None
            if "DataLoader worker" in reason:
                raise EvaluationError(
                    f"a process that decodes images is gone ({reason.partition(chr(10))[0]}); where the system ended "
                    "it for lack of memory, take a smaller --batch-size or fewer --workers"
                ) from None
            raise
        yield batch
        seen, since = pulse.total(), time.monotonic()


def _begun(loader: DataLoader[Any]) -> Iterator[Any]:
    """The loader's iterator; where there is no room even for its semaphores, one without workers."""
    try:
        return iter(loader)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise EvaluationError(
                f"the processes that decode images can't be started ({error}); try --workers 0"
            ) from None
    logging.getLogger("densezoo").warning("warning: /dev/shm is full: images are decoded in the main process")
    alone: DataLoader[Any] = DataLoader(
        loader.dataset,
        loader.batch_size,
        sampler=loader.sampler,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
    )
    return iter(alone)


def to_travel(pixels: Tensor) -> Travelling:
    """Pixels as a worker sends them: in shared memory where that has room, else as an array, which goes by a pipe.

    What lies in shared memory isn't copied again; a pipe costs about 1 ms for 2 MB.
    """
    try:
        return pixels.share_memory_()  # type: ignore[no-untyped-call,no-any-return]
    except RuntimeError:  # no room: torch reserves it, so that writing later is no SIGBUS
        return pixels.numpy()


def arrived(pixels: Travelling) -> Tensor:
    """The pixels again, in the main process."""
    return torch.from_numpy(pixels) if isinstance(pixels, np.ndarray) else pixels
