"""Processes that each hold one contestant, so that memory, threads and environment are its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from densezoo.errors import BenchmarkError
from densezoo.paths import PACKAGE


class Child:
    """A process of `densezoo.benchmarks.worker`.

    Args:
        environment: {variable: value} beside this process's own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "densezoo.benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env={**child_environment(), **environment},
            start_new_session=True,  # so that what it starts, such as compilers, ends with it
        )

    def ask(self, do: str, timeout: float = 600.0, **arguments: object) -> Any:
        """The result of one request.

        Args:
            do: one of `densezoo.benchmarks.worker.ANSWERS`.
            timeout: seconds to wait for the answer; then the process is ended.
            arguments: of the request.

        Raises:
            BenchmarkError: the program can't; the process has ended or was too slow.
        """
        self.begin(do, **arguments)
        return self.end(timeout)

    def begin(self, do: str, **arguments: object) -> None:
        """Send a request, whose result `end` gives; meanwhile others can begin."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps({'do': do, **arguments})}\n".encode())
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise BenchmarkError(self._ended()) from None

    def end(self, timeout: float = 600.0) -> Any:
        """The result of the request that was begun.

        Args:
            timeout: seconds to wait for the answer; then the process is ended.

        Raises:
            BenchmarkError: the program can't; the process has ended or was too slow.
        """
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            self.close()
            raise BenchmarkError(f"no answer within {timeout:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(self._ended())
        answer = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(answer["error"])
        return answer["result"]

    def _ended(self) -> str:
        """Why the process ended: its status and the last line that it wrote."""
        status = self._process.wait()
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no message")
        return f"its process ended with status {status}: {last[:300]}"

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if file is not None:
                    file.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._messages.close()


def child_environment() -> dict[str, str]:
    """This process's environment, with which a child imports the same densezoo and writes what it prints at once."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
