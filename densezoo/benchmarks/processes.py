"""Whole processes, timed from their start to the last line that they print."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from densezoo.errors import BenchmarkError

_INTERVAL = 0.5  # seconds between two looks at the memory


@dataclass(frozen=True)
class Finished:
    """A process that has ended well.

    Args:
        seconds: from its start to the last line that it printed.
        lines: that it printed.
        peak_memory: the most that it and the processes that it started held at once, bytes, shared pages counted once;
            looked at twice a second.
    """

    seconds: float
    lines: tuple[str, ...]
    peak_memory: int


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> Finished:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: the whole of it.
        folder: the working folder.
        timeout: seconds until it is ended.

    Raises:
        BenchmarkError: it failed or took longer; has the last of what it wrote.
    """
    with (folder / "messages").open("w+b") as messages:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, cwd=folder, env=environment, start_new_session=True
        )
        output = process.stdout
        assert output is not None
        watch = _Watch(process.pid, timeout)
        lines, seconds = [], 0.0
        try:
            for line in output:
                seconds = time.perf_counter() - start
                lines.append(line.decode(errors="replace").rstrip("\n"))
            status = process.wait()
        finally:
            watch.stop()
            output.close()
        if status != 0 or not lines:
            messages.seek(0)
            last = messages.read().decode(errors="replace").strip().split("\n")[-1]
            late = f" after {timeout:.0f} s" if watch.late else ""
            raise BenchmarkError(f"its process ended with status {status}{late}: {last[:300] or 'no message'}")
    return Finished(seconds, tuple(lines), watch.peak)


class _Watch:
    """Looks at a process's memory until it is stopped, and ends a process that takes too long."""

    def __init__(self, pid: int, timeout: float) -> None:
        self.peak, self.late = 0, False
        self._pid, self._end = pid, time.monotonic() + timeout
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            self.peak = max(self.peak, sum(map(_proportional_memory, process_tree(self._pid))))
            if time.monotonic() > self._end:
                self.late = True
                self._kill()
                return

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop looking, and end what the process has left running."""
        self._stopped.set()
        self._thread.join()
        self._kill()


def process_tree(pid: int) -> Iterator[int]:
    """A process and all that descend from it.

    Args:
        pid: the process.
    """
    yield pid
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from process_tree(int(child))


def _proportional_memory(pid: int) -> int:
    """A process's resident memory in bytes, where a page that several share counts in parts."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
