"""Programs in processes of their own that are forked where torch is imported already.

Interpreter, torch and OpenCV take 3 s of CPU to start, more than a small run takes. What is started here imports
densezoo itself, has a place, an environment, output and signals of its own, and can be killed. What it lacks of a
process: it finds the modules that pytest finds, torch read the environment before (OMP_NUM_THREADS comes too late), and
functions of atexit aren't called. Tests of the start, of imports and of the end start a new interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

#: What a child finds imported: an evaluation's packages but densezoo, and pytest, whose program the children look at.
_IMPORTED = ["pytest", "torch.utils.data", "torch.distributed", "cv2", "PIL.Image", "rich.progress"]
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(_IMPORTED)


class Forked:
    """A running program, with the names of `subprocess.Popen`.

    Args:
        command: what would follow ``python``: the path of a program, or ``-c`` and its text, and its arguments.
        cwd: the folder that it starts in; None: this process's.
        env: its environment; None: this process's.
    """

    def __init__(
        self, command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._command = [str(argument) for argument in command]
        self._stdout, self._stderr = (tempfile.NamedTemporaryFile("w+") for _ in range(2))  # noqa: SIM115
        places = (str(cwd or os.getcwd()), self._stdout.name, self._stderr.name)
        self._process = _SERVER.Process(target=_work, args=(self._command, dict(env or os.environ), *places))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if kind is not None:
            self.kill()
        self._process.join()
        self._stdout.close()
        self._stderr.close()

    @property
    def returncode(self) -> int | None:
        """The exit status; minus a signal's number where that ended it; None: it is running."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The `returncode` now."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it is running."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its status.

        Args:
            timeout: seconds after which it is killed.

        Raises:
            subprocess.TimeoutExpired: it was.
        """
        self._process.join(timeout)
        if self.returncode is None:
            self.kill()
            self._process.join()
            assert timeout is not None
            raise subprocess.TimeoutExpired(self._command, timeout, *(_text(o) for o in (self._stdout, self._stderr)))
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """`wait`; return what it wrote on stdout and stderr."""
        self.wait(timeout)
        return _text(self._stdout), _text(self._stderr)


def run(
    command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Start a `Forked` and wait for its end.

    Args:
        command, cwd, env: of `Forked`.
        timeout: of `Forked.wait`.
    """
    with Forked(command, cwd, env) as process:
        shown = process.communicate(timeout)
    return subprocess.CompletedProcess([str(argument) for argument in command], process.wait(), *shown)


def _text(output: tempfile._TemporaryFileWrapper[str]) -> str:
    return Path(output.name).read_text()


def _work(command: list[str], environment: dict[str, str], folder: str, stdout: str, stderr: str) -> None:
    """Run a command in the child, as a new interpreter would."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    _redirect(sys.stdout, stdout)
    _redirect(sys.stderr, stderr)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    try:
        if command[0] == "-c":
            sys.argv = ["-c", *command[2:]]
            exec(command[1], {"__name__": "__main__"})
        else:
            sys.argv = command
            runpy.run_path(command[0], run_name="__main__")
    finally:
        if (coverage := sys.modules.get("coverage")) and (counted := coverage.Coverage.current()):
            counted.save()  # it would be at the end of an interpreter


def _redirect(stream: TextIO, path: str) -> None:
    stream.flush()
    with open(path, "w") as file:
        os.dup2(file.fileno(), stream.fileno())
