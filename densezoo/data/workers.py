"""Worker processes that load batches, and a watch over them: a worker that dies or hangs ends the run with a message.

PyTorch's DataLoader notices a worker that dies. But it waits for ever for a batch that is lost, as in a container whose
/dev/shm is full (64 MB is Docker's default), and for a worker that hangs.
"""

from __future__ import annotations

import errno
import logging
import mmap
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from densezoo.errors import EvaluationError

Travelling: TypeAlias = "Tensor | NDArray[Any]"

POLL = 5.0  # seconds to wait for a batch before the workers are checked
PATIENCE = 45.0  # seconds without an image read by any worker, after which one counts as lost


class Pulse:
    """Counts the images that each worker has read, in memory that forked processes share outside /dev/shm.

    Args:
        workers: how many there are.
    """

    def __init__(self, workers: int) -> None:
        self.counts = np.frombuffer(mmap.mmap(-1, 8 * max(1, workers)), np.int64)

    def beat(self) -> None:
        """Count one image of the worker that calls."""
        worker = get_worker_info()
        if worker is not None:
            self.counts[worker.id] += 1

    def total(self) -> int:
        """The number of images that all workers together have read."""
        return int(self.counts.sum())


def watched_batches(loader: DataLoader[Any], pulse: Pulse) -> Generator[Any]:
    """The loader's batches. A caller that doesn't exhaust this generator must close it, which ends the workers.

    Args:
        loader: with ``timeout=POLL`` if it has workers; its dataset calls ``pulse.beat``.
        pulse: counts the images that the workers read.

    Raises:
        EvaluationError: no worker has read an image for PATIENCE seconds; one died while its batch was fetched.
    """
    iterator = _begun(loader)
    watch = _WorkerWatch(pulse, getattr(iterator, "_workers", ()))
    try:
        while True:
            watch.waiting = True
            try:
                batch = next(iterator)
            except StopIteration:
                return
            except RuntimeError as error:
                if watch.expired or "DataLoader timed out" not in str(error):
                    raise
                continue
            watch.waiting = False
            yield batch
    except (RuntimeError, EOFError, OSError) as error:
        if not watch.expired and not isinstance(error, RuntimeError) and _any_dies(watch.workers):
            raise _gone(f"its connection broke: {error!r}") from None
        if not watch.expired:
            raise
        raise EvaluationError(
            f"no process that decodes images has read one for {PATIENCE:.0f} s: one hangs, or what it sent is lost; "
            "check whether the images can still be read, or try --workers 0"
        ) from None
    finally:
        watch.ended.set()
        _end(iterator)


class _WorkerWatch(threading.Thread):
    """Kills all workers when none has read an image for PATIENCE seconds while the main process waits for a batch.

    Only this ends such a wait: the main process asks the worker that sent a batch for its shared memory, without a
    timeout, so a worker that stops right after sending would block it.

    Args:
        pulse: counts the images that the workers read.
        workers: their processes.
    """

    def __init__(self, pulse: Pulse, workers: Sequence[BaseProcess]) -> None:
        super().__init__(daemon=True, name="watch")
        self.pulse, self.workers = pulse, workers
        self.waiting, self.expired, self.ended = False, False, threading.Event()
        self.start()

    def run(self) -> None:
        last_total, since = -1, time.monotonic()
        while self.workers and not self.ended.wait(PATIENCE / 45):
            total = self.pulse.total()
            if total != last_total or not self.waiting:
                last_total, since = total, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                self.expired = True
                for worker in self.workers:
                    worker.kill()
                return


@contextmanager
def lost_workers_named() -> Iterator[None]:
    """Turn torch's error for a worker that died into one message; torch may raise it anywhere in the main process.

    Raises:
        EvaluationError: a worker died while the block ran.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise _gone(str(error).partition("\n")[0]) from None


def _any_dies(workers: Sequence[BaseProcess]) -> bool:
    """Whether a worker is dead, or dies within a second: its connections break before the system reports its death."""
    for worker in workers:
        worker.join(1 / len(workers))
    return not all(worker.is_alive() for worker in workers)


def _gone(reason: str) -> EvaluationError:
    return EvaluationError(
        f"a process that decodes images is gone ({reason}); if the system ended it for lack of memory, take a "
        "smaller batch size or fewer --workers"
    )


def _end(iterator: Iterator[object]) -> None:
    """End the workers, also stopped and dead ones, without further messages."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGCHLD, lambda *_: None) if in_main else None  # torch's raises once more
    for worker in getattr(iterator, "_workers", ()):
        worker.kill()
    getattr(iterator, "_shutdown_workers", lambda: None)()
    if in_main:
        signal.signal(signal.SIGCHLD, before)


def _begun(loader: DataLoader[Any]) -> Iterator[Any]:
    """The loader's iterator; if there is no room for its semaphores, an iterator without workers."""
    # Python drops an exception that a signal raises in its own work before and after a fork; the run would go on
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return iter(loader)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise EvaluationError(
                f"the processes that decode images can't be started ({error}); try --workers 0"
            ) from None
        _MultiProcessingDataLoaderIter._shutdown = (
            True  # else the broken iterator prints a traceback when it is deleted
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    logging.getLogger("densezoo").warning("warning: /dev/shm is full: images are decoded in the main process")
    alone: DataLoader[Any] = DataLoader(
        loader.dataset,
        loader.batch_size,
        sampler=loader.sampler,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
    )
    return iter(alone)


def without_lost_connections(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A worker's ``sys.excepthook``, which prints no traceback of lost connections.

    A worker's thread that hands over shared memory loses its connection when the main process is interrupted, which
    prints its own message.

    Args:
        kind: class of the error.
        error: the error.
        trace: where it was raised; None: nowhere.
    """
    if not issubclass(kind, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)


def to_travel(pixels: Tensor) -> Travelling:
    """Pixels as a worker sends them: in shared memory if there is room, else as an array, which is sent by a pipe.

    Shared memory isn't copied again. By a pipe a batch of 64 at 224 px (9.6 MB) takes 12 ms more of the main process's
    CPU time (2-core AMD EPYC, medians of 5).

    Args:
        pixels: of a batch.
    """
    try:
        return pixels.share_memory_()  # type: ignore[no-untyped-call,no-any-return]
    except RuntimeError:  # no room: torch reserves it at once, so that writing later raises no SIGBUS
        return pixels.numpy()


def arrived(pixels: Travelling) -> Tensor:
    """The pixels as a tensor, in the main process.

    Args:
        pixels: of `to_travel`.
    """
    return torch.from_numpy(pixels) if isinstance(pixels, np.ndarray) else pixels
