"""Ctrl-C, and the SIGTERM of Slurm's preemption: a training ends after the step that is running, its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Notes the first signal that asks the process to end; a second one does what it would without densezoo.

    Must be entered in the main thread to have an effect; elsewhere Python can't handle signals.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._immediate = False
        self._former: dict[int, Any] = {}  # handlers, whose type is private to signal's stubs

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()
        if self._immediate:
            raise KeyboardInterrupt

    def _restore(self) -> None:
        while self._former:
            signal.signal(*self._former.popitem())

    def end(self) -> None:
        """End the process, or raise, as the signal would have without densezoo; return if none has come."""
        if self.number is not None:
            signal.raise_signal(self.number)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise KeyboardInterrupt when a signal comes while the block runs, or has come already; then `end` is due."""
        self._immediate = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._immediate = False
