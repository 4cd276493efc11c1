"""One evaluation in several processes: start them, share the images out, add the measures up, notice who is gone."""

from __future__ import annotations

import atexit
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

#: {launcher: pairs of environment variables in which it tells a process its rank and how many there are}. srun alone
#: sets SLURM_STEP_NUM_TASKS; SLURM_NTASKS stands in every process of an allocation, also where only one is run.
_VARIABLES = {
    "pytorch": [("RANK", "WORLD_SIZE")],
    "slurm": [("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")],
    "mpi": [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")],
}
_STARTED_BY = {"pytorch": "torchrun --nproc-per-node N tools/...", "slurm": "srun", "mpi": "mpirun"}
BEAT = 1.0  # seconds between two signs of life of a process
JOINING = timedelta(minutes=5)  # after which a process that hasn't joined counts as never started
SILENCE = 20.0  # seconds without one, after which a process counts as dead
_AGAIN = "start all processes again with --resume to go on"


def start(launcher: str | None, device: str) -> str:
    """Join the processes that a launcher started; returns which one, "none" where this process is alone.

    Args:
        launcher: a key of the launchers' table, or "none"; None: the one whose variables are set.

    Raises:
        EvaluationError: this process was not started by that launcher; the others can't be reached.
    """
    if launcher == "none":
        return launcher
    if launcher is None:
        launcher = next((name for name in _VARIABLES if (_place(name) or (0, 1))[1] > 1), None)
        if launcher is None:
            return "none"
    if dist.is_distributed():
        return launcher
    place = _place(launcher)
    if place is None:
        names = " or ".join(" and ".join(pair) for pair in _VARIABLES[launcher])
        raise EvaluationError(
            f"--launcher {launcher}: {names} are not set; start the processes with {_STARTED_BY[launcher]}"
        )
    try:
        if device.startswith("cuda"):
            dist.init_dist(launcher, backend="nccl")
        else:  # mmengine 0.10.7 picks a GPU for every process, also where there is none
            joining = torch.distributed.rendezvous("env://", *place, timeout=JOINING)  # type: ignore[attr-defined]
            store = next(joining)[0]
            store.set_timeout(timedelta(minutes=30))  # torch's own: others wait while the main one hashes the images
            torch.distributed.init_process_group("gloo", store=store, rank=place[0], world_size=place[1])
        atexit.register(_destroy)
    except (RuntimeError, ValueError, KeyError) as error:  # a port in use, a rank that nobody has, MASTER_ADDR not set
        reason = str(error).partition("\n")[0]
        raise EvaluationError(
            f"rank {place[0]} of {place[1]} can't join the others by {launcher} ({reason}); set MASTER_ADDR to the "
            "first machine and MASTER_PORT to a free port, the same in all processes, or give --launcher none to "
            "measure in each process by itself"
        ) from None
    return launcher


def _destroy() -> None:
    """End the threads of gloo; a Python that shuts down beside them is ended by SIGABRT in one run of ten."""
    if dist.is_distributed():
        torch.distributed.destroy_process_group()


def _place(launcher: str) -> tuple[int, int] | None:
    """(rank, number of processes) as a launcher's variables have it; None: they are not set."""
    for rank, size in _VARIABLES[launcher]:
        if rank in os.environ and size in os.environ:
            try:
                return int(os.environ[rank]), int(os.environ[size])
            except ValueError:
                raise EvaluationError(
                    f"{rank} is {os.environ[rank]!r} and {size} {os.environ[size]!r}; expected whole numbers"
                ) from None
    return None


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
    watch = _RankWatch(_open_store())
    try:
        yield
        gather(None)  # all are done, nobody is missed from here on
    except _Lost:
        time.sleep(SILENCE + 10 * BEAT)  # the watch ends this process as soon as it knows whose fault it is
        raise
    except BaseException as error:
        watch.leave(
            f"rank {rank()} ended with {type(error).__name__}: {error}; mend that, then start all processes again"
        )
        raise
    finally:
        watch.finished.set()
        watch.join(5 * BEAT)  # a thread inside the store while Python shuts down could end the process with an error


def _open_store() -> TCPStore:
    """A store of our own beside torch's, whose connection a waiting collective may hold; rank 0 keeps it."""
    host, wait = os.environ.get("MASTER_ADDR", "127.0.0.1"), timedelta(seconds=SILENCE)
    store = TCPStore(host, 0, None, True, wait, wait_for_workers=False) if is_main() else None
    port = gather(store.port if store else 0)[0]
    return store or TCPStore(host, port, None, False, wait)


class _RankWatch(threading.Thread):
    """Counts for this process and watches the others' counters."""

    def __init__(self, store: TCPStore) -> None:
        super().__init__(daemon=True, name="watch")
        self.store, self.finished = store, threading.Event()
        self.last = {other: ("", time.monotonic()) for other in range(world_size()) if other != rank()}
        self.start()

    def run(self) -> None:
        for beat in range(sys.maxsize):
            lost = self._beat(beat)
            if lost and not self.finished.wait(5 * BEAT) and (lost := self._beat(beat)):  # it may be back
                self.leave(lost)
                _end(lost)
            if self.finished.wait(BEAT):
                return

    def _beat(self, beat: int) -> str | None:
        """Give a sign of life; returns what `_lost` says."""
        try:
            self.store.set(f"beat{rank()}", str(beat))
            return self._lost()
        except RuntimeError:  # torch.distributed.DistError among them
            return f"rank 0, which keeps the store of all processes, is gone; {_AGAIN}"

    def _lost(self) -> str | None:
        """What is said of the first process that left or is silent; None: all are there."""
        if self.store.check(["left"]):
            return str(self.store.get("left").decode())
        for other, (before, since) in self.last.items():
            key = f"beat{other}"
            beat = self.store.get(key).decode() if self.store.check([key]) else ""
            if beat != before:
                self.last[other] = beat, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                return f"rank {other} is gone: no sign of life for {SILENCE:.0f} s; {_AGAIN}"
        return None

    def leave(self, reason: str) -> None:
        """Tell the others why this process ends; they end, too, and say the same."""
        try:
            self.store.set("left", reason)
            time.sleep(3 * BEAT if is_main() else 0)  # rank 0 takes the store with it
        except RuntimeError:
            pass


def _end(reason: str) -> None:
    """End this process from a thread while the main one waits for an answer that will not come."""
    sys.stderr.write(f"error: {reason}\n")
    sys.stderr.flush()
    os._exit(1)
