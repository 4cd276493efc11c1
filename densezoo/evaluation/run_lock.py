"""Allows one run at a time: a locked file beside the run's state, which names the process that holds it.

The lock is POSIX's (fcntl), which child processes don't inherit: when a run is killed, its decoding processes, which
notice some seconds later, don't block the run that resumes it. (flock, and so filelock, would be inherited.)
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from densezoo.errors import DensezooError, EvaluationError

_held_here: dict[str, bytes] = {}  # {real path: owner}; opening and closing a locked file again would free its lock


_MEASURES = "measures the same model under the same protocol into the same folder"


@contextmanager
def run_lock(path: Path, does: str = _MEASURES, error: type[DensezooError] = EvaluationError) -> Iterator[None]:
    """Hold a lock until the block ends; the system frees it in any case when the process ends.

    Args:
        path: the file to lock; it is made, and removed at the end.
        does: what a process does that holds it.
        error: what is raised.

    Raises:
        EvaluationError, or ``error``: another process holds it (names it), or the file can't be written.
    """
    name = os.path.realpath(path)
    try:
        if name in _held_here:
            raise _Held(_held_here[name])
        handle = _locked(path)
    except _Held as held:
        raise error(f"{path}: held by {held}, which {does}; wait for it, end it, or choose another folder") from None
    except OSError as reason:
        raise error(f"{path}: can't be written ({reason.strerror}); choose another folder") from None
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    owner = _held_here[name] = json.dumps({"pid": os.getpid(), "host": platform.node(), "since": now}).encode()
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner, 0)
        yield
    finally:
        del _held_here[name]
        if _is_at(handle, path):  # if the folder was deleted, another run may have made a new file
            path.unlink(missing_ok=True)
        os.close(handle)


def _locked(path: Path) -> int:
    """Open and lock a file; return its handle."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            content = os.pread(handle, 1000, 0)
            os.close(handle)
            if isinstance(error, (BlockingIOError, PermissionError)):
                raise _Held(content) from None
            raise
        if _is_at(handle, path):
            return handle
        os.close(handle)  # its last holder removed it after it was opened


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


class _Held(Exception):
    """Raised when another run holds the lock; as a text it is who.

    Args:
        content: of the locked file.
    """

    def __init__(self, content: bytes) -> None:
        try:
            owner = json.loads(content)
            super().__init__(f"process {owner['pid']} on {owner['host']} since {owner['since']} UTC")
        except (ValueError, KeyError, TypeError):  # the file is locked but not written yet
            super().__init__("another process")
