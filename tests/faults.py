"""What `fault_loop` does to evaluations: a table, and one small function for each kind of harm."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fault_loop import Case

VICTIM = "val/c/134.png"  # of 200: is scored when two thirds are done
SECONDS = 90.0  # after which a run counts as hanging


def nothing(case: Case) -> None: ...


def send(case: Case, number: int, group: bool = False) -> None:
    child = case.chance.choice(case.children)
    if child.poll() is None:
        os.killpg(child.pid, number) if group else child.send_signal(number)


def send_to_worker(case: Case, number: int) -> None:
    with suppress(IndexError, ProcessLookupError):
        os.kill(case.chance.choice(case.workers()), number)


def mount(case: Case, name: str) -> None:
    (case.folder / name).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", case.folder / name], check=True)


def fill(case: Case, name: str) -> None:
    """Leave room for a few pages, or none."""
    with (case.folder / name / "fill").open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(4096)):
                pass
        file.truncate(file.tell() - 4096 * case.chance.choice([0, 0, 1, 2, 5]))


def clear(case: Case, name: str) -> None:
    (case.folder / name / "fill").unlink(missing_ok=True)


def replace(case: Case, path: str, by: str) -> None:
    """Put another file of equal size and times in a file's place: at once, or by writing over it."""
    old, new = case.folder / path, case.folder / by
    times = os.stat(old)
    if case.chance.random() < 0.5:
        shutil.copy(new, old.with_suffix(".new"))
        os.replace(old.with_suffix(".new"), old)
    else:
        old.write_bytes(new.read_bytes())
    os.utime(old, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace_and_put_back(case: Case) -> None:
    replace(case, VICTIM, "other/" + VICTIM)
    time.sleep(case.chance.random() ** 3)
    replace(case, VICTIM, "kept/" + VICTIM)


def restore(case: Case, path: str) -> None:
    shutil.copy(case.folder / "kept" / path, case.folder / path)


def remove(case: Case, path: str) -> None:
    (case.folder / path).unlink()


def truncate(case: Case, pattern: str) -> None:
    for path in case.folder.glob(pattern):
        os.truncate(path, case.chance.randrange(path.stat().st_size))


def rename(case: Case, old: str, new: str) -> None:
    (case.folder / old).rename(case.folder / new)


def delete(case: Case, name: str) -> None:
    while (case.folder / name).exists():  # again where the run makes a file meanwhile
        shutil.rmtree(case.folder / name, ignore_errors=True)
        if case.chance.random() < 0.5:
            break


def second_run(case: Case, *options: object) -> None:
    """Start another run; the first one stands still for a while, or does not."""
    first, stop = case.children[0], case.chance.random() < 0.5
    if stop and first.poll() is None:
        first.send_signal(signal.SIGSTOP)
    case.start(*options)
    if stop:
        time.sleep(6 * case.chance.random())
        first.send_signal(signal.SIGCONT)


def fill_shared_memory(case: Case) -> None:
    """The folder that the run sees as /dev/shm; it is another one for us."""
    with suppress(OSError), Path(f"/proc/{case.children[0].pid}/root/dev/shm/fill").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def small_shm(options: str, before: str = "true") -> list[str]:
    """What stands before a command that is to have a /dev/shm of its own."""
    return ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o {options} tmpfs /dev/shm && {before} && exec "$@"', "sh"]


@dataclass(frozen=True)
class Fault:
    """What is done to a run.

    Args:
        harm: does it at the moment; ``mend`` undoes it, ``prepare`` comes before the run.
        command: of ``tools/``, with its arguments.
        prefix: what the command is started by.
        ranks: processes that share the images out.
        silent: exit statuses of a run that may end without a message of ours, before it has begun.
        phase: the only one that is hit; None: any.
        limit: seconds after which the run hangs.
        mounts: whether it needs the right to mount.
    """

    harm: Callable[[Case], None] = nothing
    mend: Callable[[Case], None] = nothing
    prepare: Callable[[Case], None] = nothing
    command: Sequence[str] = ("test.py", "../small.py", "small.safetensors", "--data-root", "val")
    prefix: Sequence[str] = ()
    ranks: int = 1
    silent: Sequence[int] = ()
    phase: str | None = None
    limit: float = SECONDS
    mounts: bool = False


TEST = Fault.command
SWEEP = ("sweep.py", "densenet_bc_22_8*", "--datasets", "digits", "--cache", "pixels/digits")
TORCH7 = (*TEST, "--protocol", "torch7")  # float32: 2.4 MB a batch
TERM, KILL = signal.SIGTERM, signal.SIGKILL
back = partial(restore, path=VICTIM)

FAULTS = {
    "sigkill": Fault(partial(send, number=KILL), silent=[-KILL]),
    "sigkill_to_group": Fault(partial(send, number=KILL, group=True), silent=[-KILL]),
    "sigterm": Fault(partial(send, number=TERM), silent=[-TERM]),
    "sigterm_to_group": Fault(partial(send, number=TERM, group=True), silent=[-TERM]),
    "sigint": Fault(partial(send, number=signal.SIGINT), silent=[-signal.SIGINT]),
    "sigint_to_group": Fault(partial(send, number=signal.SIGINT, group=True), silent=[-signal.SIGINT]),
    "disk_full": Fault(partial(fill, name="out"), partial(clear, name="out"), partial(mount, name="out"), mounts=True),
    "predictions_disk_full": Fault(
        partial(fill, name="predictions"),
        partial(clear, name="predictions"),
        partial(mount, name="predictions"),
        (*TEST, "--predictions", "predictions/p.parquet"),
        mounts=True,
    ),
    "shm_2_mb": Fault(command=TORCH7, prefix=small_shm("size=2m"), mounts=True),
    "shm_64_mb": Fault(command=TORCH7, prefix=small_shm("size=64m"), mounts=True),
    "shm_without_inodes": Fault(
        command=TORCH7, prefix=small_shm("size=64k,nr_inodes=2", "touch /dev/shm/full"), mounts=True
    ),
    "shm_fills_up": Fault(fill_shared_memory, command=TORCH7, prefix=small_shm("size=64m"), mounts=True),
    "image_removed": Fault(partial(remove, path=VICTIM), back),
    "image_replaced": Fault(partial(replace, path=VICTIM, by="other/" + VICTIM), back),
    "image_replaced_and_put_back": Fault(replace_and_put_back),
    "folder_renamed": Fault(partial(rename, old="val", new="gone"), partial(rename, old="gone", new="val")),
    "tar_truncated": Fault(
        partial(truncate, pattern="val.tar"),
        partial(restore, path="val.tar"),
        command=(*TEST, "--data-root", "val.tar"),
    ),
    "worker_killed": Fault(partial(send_to_worker, number=KILL), phase="scoring"),
    "worker_stopped": Fault(partial(send_to_worker, number=signal.SIGSTOP), phase="scoring", limit=120),
    "rank_killed": Fault(partial(send, number=KILL), ranks=2, silent=[-KILL], phase="scoring"),
    "rank_terminated": Fault(partial(send, number=TERM), ranks=2, silent=[-TERM], phase="scoring"),
    "output_deleted": Fault(partial(delete, name="out")),
    "two_runs": Fault(second_run),
    "two_runs_of_other_images": Fault(lambda case: second_run(case, "--data-root", "other/val")),
    "checkpoint_replaced": Fault(
        partial(replace, path="small.safetensors", by="other/small.safetensors"),
        partial(restore, path="small.safetensors"),
    ),
    "checkpoint_replaced_under_ranks": Fault(
        partial(replace, path="small.safetensors", by="other/small.safetensors"),
        partial(restore, path="small.safetensors"),
        ranks=2,
        phase="start-up",
    ),
    "cache_truncated": Fault(partial(truncate, pattern="pixels/digits/*"), command=SWEEP),
    "cache_deleted": Fault(partial(delete, name="pixels/digits"), command=SWEEP),
    "cache_disk_full": Fault(
        partial(fill, name="pixels"), partial(clear, name="pixels"), partial(mount, name="pixels"), SWEEP, mounts=True
    ),
}
