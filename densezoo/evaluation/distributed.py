"""One evaluation in several processes: start them, share the images out, add the measures up, notice who is gone."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from mmengine import dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from densezoo.errors import EvaluationError

T = TypeVar("T")

#: {launcher: the environment variables in which it tells a process its rank and how many there are}.
_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
}
BEAT = 1.0  # seconds between two signs of life of a process
SILENCE = 20.0  # seconds without one, after which a process counts as dead


def start(launcher: str, device: str) -> None:
    """Join the processes that a launcher started; does nothing for "none".

    Raises:
        EvaluationError: this process was not started by that launcher.
    """
    if launcher == "none" or dist.is_distributed():
        return
    rank, world_size = (os.environ.get(name) for name in _VARIABLES[launcher])
    if rank is None or world_size is None:
        raise EvaluationError(
            f"--launcher {launcher}: {' and '.join(_VARIABLES[launcher])} are not set; start the processes with "
            f"{ {'pytorch': 'torchrun --nproc-per-node N tools/...', 'slurm': 'srun', 'mpi': 'mpirun'}[launcher] }"
        )
    if device.startswith("cuda"):
        dist.init_dist(launcher, backend="nccl")
    else:  # mmengine 0.10.7 picks a GPU for every process, also where there is none
        torch.distributed.init_process_group("gloo", rank=int(rank), world_size=int(world_size))


def is_main() -> bool:
    """Whether this process is the one that prints and stores."""
    return bool(dist.is_main_process())


def rank() -> int:
    """This process's number, from 0."""
    return int(dist.get_rank())


def world_size() -> int:
    """How many processes there are."""
    return int(dist.get_world_size())


def shard(num_images: int) -> range:
    """This process's images: every world_size-th from its rank on, so that none is padded or dropped."""
    return range(dist.get_rank(), num_images, dist.get_world_size())


def gather(value: T) -> list[T]:
    """Every process's value, ordered by rank, in each of them."""
    if world_size() == 1:
        return [value]
    values: list[T | None] = [None] * world_size()
    try:
        torch.distributed.all_gather_object(values, value)
    except RuntimeError as error:
        raise _Lost(f"rank {rank()}: the connection to the other processes broke ({error})") from None
    return values  # type: ignore[return-value]


class _Lost(EvaluationError):
    """The transport noticed that a process is gone, but not which one."""


@contextmanager
def watched() -> Iterator[None]:
    """While this lasts, a process that dies ends all the others within a minute, with an error that names its rank.

    Each process counts in a key-value store and reads the others' counters in a thread of its own, so that it sees
    what happens also while it waits for a process that will never answer.
    """
    if world_size() == 1:
        yield
        return
    watch = _Watch(_open_store())
    try:
        yield
        gather(None)  # all are done, nobody is missed from here on
    except _Lost:
        time.sleep(SILENCE + 10 * BEAT)  # the watch ends this process as soon as it knows whose fault it is
        raise
    except BaseException as error:
        watch.leave(f"rank {rank()} ended with {type(error).__name__}: {error}")
        raise
    finally:
        watch.finished.set()
        watch.join(5 * BEAT)  # a thread inside the store while Python shuts down could end the process with an error


def _open_store() -> TCPStore:
    """A store of our own beside torch's, whose connection a waiting collective may hold; rank 0 keeps it."""
    host, wait = os.environ.get("MASTER_ADDR", "127.0.0.1"), timedelta(seconds=SILENCE)
    made = TCPStore(host, 0, None, True, wait, wait_for_workers=False) if is_main() else None
    port = gather(made.port if made else 0)[0]
    return made or TCPStore(host, port, None, False, wait)


class _Watch(threading.Thread):
    """Counts for this process and watches the others' counters."""

    def __init__(self, store: TCPStore) -> None:
        super().__init__(daemon=True, name="watch")
        self.store, self.finished = store, threading.Event()
        self.last = {other: ("", time.monotonic()) for other in range(world_size()) if other != rank()}
        self.start()

    def run(self) -> None:
        for beat in range(sys.maxsize):
            try:
                self.store.set(f"beat{rank()}", str(beat))
                lost = self._lost()
            except RuntimeError:  # torch.distributed.DistError among them
                lost = "rank 0, which keeps the store of all processes, is gone"
            if lost and not self.finished.wait(5 * BEAT):
                _end(lost)
            if self.finished.wait(BEAT):
                return

    def _lost(self) -> str | None:
        """What is said of the first process that left or is silent; None: all are there."""
        if self.store.check(["left"]):
            return str(self.store.get("left").decode())
        for other, (before, since) in self.last.items():
            key = f"beat{other}"
            found = self.store.get(key).decode() if self.store.check([key]) else ""
            if found != before:
                self.last[other] = found, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                return f"rank {other} is gone: no sign of life for {SILENCE:.0f} s"
        return None

    def leave(self, reason: str) -> None:
        """Tell the others that this process ends, and why; they end too."""
        try:
            self.store.set("left", reason)
            time.sleep(3 * BEAT if is_main() else 0)  # rank 0 takes the store with it
        except RuntimeError:
            pass


def _end(reason: str) -> None:
    """End this process from a thread while the main one waits for an answer that will not come."""
    sys.stderr.write(f"error: {reason}; start all processes again with --resume to go on\n")
    sys.stderr.flush()
    os._exit(1)
