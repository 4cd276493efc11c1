"""The state of a run: an append-only file of records, which an interrupted run leaves for `--resume`.

    {"version": ..., "batch_size": ..., ...}\\n    the run, as JSON; the file is created with this whole line
    (images, CRC-32, seconds) records              one frame for each step, written in one call
    (images, CRC-32, seconds) records
    ...

A run that is killed while it writes leaves a broken last frame, which is cut off; its images are scored again. The file
is read through the handle that writes it, so that a run goes on even if the file or its folder is deleted.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path

import numpy as np

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import RECORD, Records
from densezoo.evaluation.options import ExistingState
from densezoo.files import replacing

_FRAME = struct.Struct("<IId")  # records, CRC-32 of their bytes, seconds that the step took


class RecordLog:
    """One process's records on disk; one step's records are in memory. ``with`` closes it.

    Args:
        path: the file; its folder exists.
        run: all that the records depend on, as JSON values; a state of another run is refused.
        existing: "refuse" a state that holds records, "resume" it, or "restart" without it.
        record: type of a record.

    Raises:
        EvaluationError: the file is the state of another run, holds records that may neither be resumed nor dropped,
            or can't be written.
    """

    def __init__(
        self,
        path: Path,
        run: Mapping[str, object],
        existing: ExistingState = "refuse",
        record: np.dtype[np.void] = RECORD,
    ) -> None:
        self.path, self._record = path, record
        self.run: Mapping[str, object] = json.loads(json.dumps(run))
        self._file: FileIO | None = None
        try:
            if existing == "restart" or not path.exists():
                self._start()
            self._open()
            difference = self._difference()
            if existing == "resume" and difference:
                raise EvaluationError(
                    f"{path}: the state of another run: {difference}; repeat that one to resume it, or start anew with "
                    "--restart"
                )
            if existing != "resume" and self.num_records:
                raise _refusal(path, self.num_records, difference)
            if existing != "resume":  # a state without records, of this or another run
                self._start()
                self._open()
            os.truncate(self._handle, self._end)
        except BaseException as error:
            self._close()
            if isinstance(error, OSError):
                raise self._unwritable(error) from None
            raise

    def _open(self) -> None:
        """Open the file and count its records, up to its end or a broken frame."""
        self._close()
        self._file = self.path.open("r+b", buffering=0)
        self._first_line = self._file.readline()
        self.num_records, self.seconds, self._end = 0, 0.0, len(self._first_line)
        for end, seconds, records in self._frames():
            self._end = end
            self.num_records += len(records)
            self.seconds += seconds

    def append(self, records: Records, seconds: float) -> None:
        """Write one step's records; when this returns, killing the process doesn't lose them.

        Args:
            records: of the step.
            seconds: that the step took.

        Raises:
            EvaluationError: the disk is full.
        """
        payload = records.tobytes()
        frame = _FRAME.pack(len(records), zlib.crc32(payload), seconds) + payload
        try:
            if os.pwrite(self._handle, frame, self._end) != len(frame):  # an almost full disk takes a part
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._unwritable(error) from None
        self._end += len(frame)
        self.num_records += len(records)
        self.seconds += seconds

    def __iter__(self) -> Iterator[Records]:
        """The records, step by step."""
        return (records for _, _, records in self._frames())

    def _frames(self) -> Iterator[tuple[int, float, Records]]:
        return _frames(self._handle, len(self._first_line), self._record)

    def __enter__(self) -> RecordLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close()
        if kind is not None and self.num_records == 0:  # there is nothing to resume
            self.remove()

    def remove(self) -> None:
        """Remove the file, after its result was stored."""
        self.path.unlink(missing_ok=True)

    @property
    def _handle(self) -> int:
        assert self._file is not None, "the log is closed"
        return self._file.fileno()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _start(self) -> None:
        text = json.dumps(self.run).encode()
        with replacing(self.path) as hidden:
            hidden.write_bytes(f"{zlib.crc32(text):08x} ".encode() + text + b"\n")

    def _difference(self) -> str | None:
        """The first difference between the first line's run and this one; None: they are the same."""
        try:
            checksum, _, text = self._first_line.rstrip(b"\n").partition(b" ")
            former = dict(json.loads(text))
            is_whole = int(checksum, 16) == zlib.crc32(text)
        except (ValueError, TypeError, RecursionError):
            is_whole = False
        if not is_whole:
            return "its first line is damaged, so that nothing tells what the records are of"
        differ = (key for key in {**self.run, **former} if former.get(key) != self.run.get(key))
        return next((f"{key} was {former.get(key)!r}, is {self.run.get(key)!r}" for key in differ), None)

    def _unwritable(self, error: OSError) -> EvaluationError:
        return EvaluationError(
            f"{self.path}: the run's state can't be written ({error.strerror}); make room, or choose another folder"
        )


def check_no_records(path: Path) -> None:
    """Refuse a state that `RecordLog` would refuse later, before other work is done.

    Args:
        path: the state's file; it need not exist.

    Raises:
        EvaluationError: it holds records.
    """
    if path.exists():
        with path.open("rb", buffering=0) as file:
            start = len(file.readline())
            if count := sum(len(records) for _, _, records in _frames(file.fileno(), start, RECORD)):
                raise _refusal(path, count, None)


def _refusal(path: Path, count: int, difference: str | None) -> EvaluationError:
    other = f" of other settings ({difference})" if difference else ""
    advice = "repeat that one with --resume" if difference else "go on from them with --resume"
    return EvaluationError(
        f"{path}: holds {count:,} records of an interrupted run{other}; {advice}, or drop them with --restart"
    )


def _frames(handle: int, start: int, record: np.dtype[np.void]) -> Iterator[tuple[int, float, Records]]:
    """(offset of the frame's end, its seconds, its records) from ``start`` on, up to the first broken frame."""
    size, end = os.fstat(handle).st_size, start
    while len(head := os.pread(handle, _FRAME.size, end)) == _FRAME.size:
        count, checksum, seconds = _FRAME.unpack(head)
        length = count * record.itemsize
        payload = os.pread(handle, min(length, size), end + _FRAME.size)
        if len(payload) != length or zlib.crc32(payload) != checksum:
            return
        end += _FRAME.size + length
        yield end, seconds, np.frombuffer(payload, record)
