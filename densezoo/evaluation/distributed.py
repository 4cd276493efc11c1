"""One evaluation in several processes: join them, divide the images, sum the measures, notice processes that die."""

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

from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch doesn't say that it exports it

from densezoo.errors import EvaluationError
from densezoo.imports import import_mmengine

T = TypeVar("T")

#: {launcher: (variable of a process's rank, variable of the number of processes)}, of which one pair is set. Only srun
#: sets SLURM_STEP_NUM_TASKS; SLURM_NTASKS is set in every process of an allocation, even if only one runs.
_VARIABLES = {
    "pytorch": [("RANK", "WORLD_SIZE")],
    "slurm": [("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")],
    "mpi": [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")],
}
_STARTED_BY = {"pytorch": "torchrun --nproc-per-node N -m densezoo ...", "slurm": "srun", "mpi": "mpirun"}
BEAT = 1.0  # seconds between two signs of life of a process
JOINING = timedelta(minutes=5)  # after which a process that hasn't joined counts as not started
SILENCE = 20.0  # seconds without a sign of life, after which a process counts as dead
_AGAIN = "start all processes again with --resume to go on"


def start(launcher: str | None, device: str) -> str:
    """Join the processes that a launcher started; return the launcher, "none" if this process is the only one.

    Args:
        launcher: "pytorch", "slurm", "mpi" or "none"; None: the one whose environment variables are set.
        device: that this process computes on.

    Raises:
        EvaluationError: this process was not started by that launcher; the others can't be reached.
    """
    if launcher == "none":
        return launcher
    if launcher is None:
        launcher = next((name for name in _VARIABLES if (_rank_and_size(name) or (0, 1))[1] > 1), None)
        if launcher is None:
            return "none"
    if _joined():
        return launcher
    rank_and_size = _rank_and_size(launcher)
    if rank_and_size is None:
        names = " or ".join(" and ".join(pair) for pair in _VARIABLES[launcher])
        raise EvaluationError(
            f"--launcher {launcher}: {names} are not set; start the processes with {_STARTED_BY[launcher]}"
        )
    try:
        if device.startswith("cuda"):
            dist = import_mmengine("mmengine.dist")  # takes 0.15 s, and one process needs none of it
            dist.init_dist(launcher, backend="nccl")
        else:  # mmengine 0.10.7 picks a GPU for every process, even if there is none
            joining = distributed.rendezvous("env://", *rank_and_size, timeout=JOINING)  # type: ignore[attr-defined]
            store = next(joining)[0]
            store.set_timeout(
                timedelta(minutes=30)
            )  # torch's default: others wait while the main one hashes the images
            distributed.init_process_group("gloo", store=store, rank=rank_and_size[0], world_size=rank_and_size[1])
        atexit.register(_destroy)
    except (RuntimeError, ValueError, KeyError) as error:  # a port in use, a missing rank, MASTER_ADDR not set
        reason = str(error).partition("\n")[0]
        raise EvaluationError(
            f"rank {rank_and_size[0]} of {rank_and_size[1]} can't join the others by {launcher} ({reason}); set "
            "MASTER_ADDR to the first machine and MASTER_PORT to a free port, the same in all processes, or give "
            "--launcher none if each is to run by itself"
        ) from None
    return launcher


def _destroy() -> None:
    """End the threads of gloo; if they run while Python shuts down, SIGABRT ends one run in ten."""
    if _joined():
        distributed.destroy_process_group()


def _rank_and_size(launcher: str) -> tuple[int, int] | None:
    """(rank, number of processes) of a launcher's environment variables; None: they are not set."""
    for rank, size in _VARIABLES[launcher]:
        if rank in os.environ and size in os.environ:
            try:
                own, number = int(os.environ[rank]), int(os.environ[size])
            except ValueError:
                own, number = 0, 0
            if not 0 <= own < number:  # the others would be waited for
                raise EvaluationError(
                    f"{rank} is {os.environ[rank]!r} and {size} {os.environ[size]!r}; expected whole numbers, the "
                    "first one from 0 to below the second one"
                )
            return own, number
    return None


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def is_main() -> bool:
    """Whether this process is the main one, which prints and stores."""
    return rank() == 0


def rank() -> int:
    """This process's number, from 0."""
    return distributed.get_rank() if _joined() else 0


def world_size() -> int:
    """The number of processes."""
    return distributed.get_world_size() if _joined() else 1


def shard(num_images: int) -> range:
    """The indices of this process's images: every world_size-th from its rank on; none is repeated or dropped.

    Args:
        num_images: of the dataset.
    """
    return range(rank(), num_images, world_size())


def gather(value: T) -> list[T]:
    """The values of all processes, ordered by rank; every process must call this, and gets all of them.

    Args:
        value: this process's.
    """
    if world_size() == 1:
        return [value]
    values: list[T | None] = [None] * world_size()
    try:
        distributed.all_gather_object(values, value)
    except RuntimeError as error:
        raise Lost(f"rank {rank()}: the connection to the other processes broke ({error})") from None
    return values  # type: ignore[return-value]  # each None is replaced


class Lost(EvaluationError):
    """Raised when a connection broke, so that a process must be gone, but not known is which."""


@contextmanager
def processes_watched() -> Iterator[None]:
    """Until the block ends, a process that dies ends all others within a minute, with an error that names its rank.

    A thread of each process counts in a key-value store and reads the others' counters, so that the process notices
    even while it waits for one that will never answer.
    """
    if world_size() == 1:
        yield
        return
    watch = _RankWatch(_open_store())
    try:
        yield
        gather(None)  # all processes are done; one that ends now is no error
    except BaseException as error:
        if isinstance(error, Lost) or _is_of_connection(error):
            time.sleep(SILENCE + 10 * BEAT)  # the watch ends this process as soon as it knows which one is gone
            raise Lost(f"rank {rank()}: the connection to the other processes broke; {_AGAIN}") from None
        watch.leave(
            f"rank {rank()} ended with {type(error).__name__}: {error}; correct that, then start all processes again"
        )
        raise
    finally:
        watch.finished.set()
        watch.join(5 * BEAT)  # a thread inside the store while Python shuts down could end the process with an error


def _is_of_connection(error: BaseException) -> bool:
    """Whether an error is of torch's connection to other processes, as in DistributedDataParallel's own calls."""
    broken = isinstance(error, RuntimeError) and "gloo/transport" in str(error)
    return broken or isinstance(error, distributed.DistError)


def _open_store() -> TCPStore:
    """A second store beside torch's, whose connection a waiting collective may block; rank 0 keeps it."""
    host, wait = os.environ.get("MASTER_ADDR", "127.0.0.1"), timedelta(seconds=SILENCE)
    store = TCPStore(host, 0, None, True, wait, wait_for_workers=False) if is_main() else None
    port = gather(store.port if store else 0)[0]
    return store or TCPStore(host, port, None, False, wait)


class _RankWatch(threading.Thread):
    """Counts for this process and watches the others' counters.

    Args:
        store: of the counters.
    """

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
        """Count once more; return the message of `_lost`."""
        try:
            self.store.set(f"beat{rank()}", str(beat))
            return self._lost()
        except RuntimeError:  # torch.distributed.DistError among them
            return f"rank 0, which keeps the store of all processes, is gone; {_AGAIN}"

    def _lost(self) -> str | None:
        """The message on the first process that left or is silent; None: all are there."""
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
        """Tell the other processes why this one ends; they end, too, with the same message."""
        try:
            self.store.set("left", reason)
            time.sleep(3 * BEAT if is_main() else 0)  # rank 0 takes the store with it
        except RuntimeError:
            pass


def _end(reason: str) -> None:
    """End this process from a thread, while its main thread waits for an answer that will not come."""
    sys.stderr.write(f"error: {reason}\n")
    sys.stderr.flush()
    os._exit(1)
