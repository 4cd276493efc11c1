"""The state of a run: an append-only file of what was scored, which a killed run leaves and `--resume` goes on from.

    {"version": ..., "batch_size": ..., ...}\\n    the run, as JSON; the file appears with this line whole
    (images, CRC-32, seconds) records              one frame a step, written in one call
    (images, CRC-32, seconds) records
    ...

A run that is killed while it writes leaves a broken last frame; it is cut off, and its images are scored again.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import RECORD, Records

_FRAME = struct.Struct("<IId")  # records, CRC-32 of their bytes, seconds that the step took


class RecordLog:
    """One process's records on disk; the memory it takes is one step's. ``with`` closes it.

    Args:
        path: the file; its folder exists.
        run: all that the records depend on, as JSON values: a state of another run is refused.
        resume: go on from what the file holds; otherwise, or if there is no file, start anew.

    Raises:
        EvaluationError: the file is the state of another run, or can't be written.
    """

    def __init__(self, path: Path, run: Mapping[str, object], *, resume: bool = False) -> None:
        self.path = path
        self.run: Mapping[str, object] = json.loads(json.dumps(run))
        self.num_records, self.seconds = 0, 0.0
        try:
            if not (resume and path.exists()):
                self._start()
            end = self._check_run()
            for end_of_frame, seconds, records in self._frames():
                self.num_records += len(records)
                self.seconds += seconds
                end = end_of_frame
            os.truncate(path, end)
            self._file: BinaryIO = path.open("ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from None

    def append(self, records: Records, seconds: float) -> None:
        """Write one step's records; they are safe from a kill when this returns.

        Args:
            seconds: what the step took.

        Raises:
            EvaluationError: the disk is full.
        """
        payload = records.tobytes()
        frame = _FRAME.pack(len(records), zlib.crc32(payload), seconds) + payload
        try:
            if self._file.write(frame) != len(frame):  # a disk that is almost full takes a part
                raise OSError(28, "No space left on device")
        except OSError as error:
            raise self._unwritable(error) from None
        self.num_records += len(records)
        self.seconds += seconds

    def __iter__(self) -> Iterator[Records]:
        """The records, step by step."""
        return (records for _, _, records in self._frames())

    def _frames(self) -> Iterator[tuple[int, float, Records]]:
        """(where the frame ends, its seconds, its records) up to the first broken frame."""
        with self.path.open("rb") as file:
            file.readline()
            while len(head := file.read(_FRAME.size)) == _FRAME.size:
                count, checksum, seconds = _FRAME.unpack(head)
                payload = file.read(count * RECORD.itemsize)
                if len(payload) != count * RECORD.itemsize or zlib.crc32(payload) != checksum:
                    return
                yield file.tell(), seconds, np.frombuffer(payload, RECORD)

    def __enter__(self) -> RecordLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def remove(self) -> None:
        """Remove the file, once its result is stored."""
        self.path.unlink()

    def _start(self) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(self.run).encode() + b"\n")
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise

    def _check_run(self) -> int:
        """Hold the first line against this run; returns where it ends."""
        try:
            with self.path.open("rb") as file:
                found, end = dict(json.loads(file.readline())), file.tell()
        except (ValueError, TypeError):
            raise EvaluationError(f"{self.path}: not the state of a run; remove it, or leave out --resume") from None
        for key in {**self.run, **found}:
            if found.get(key) != self.run.get(key):
                raise EvaluationError(
                    f"{self.path}: the state of another run: {key} was {found.get(key)!r}, is {self.run.get(key)!r}; "
                    "repeat the former to resume it, or leave out --resume to start anew"
                )
        return end

    def _unwritable(self, error: OSError) -> EvaluationError:
        return EvaluationError(
            f"{self.path}: the run's state can't be written ({error.strerror}); make room or choose another --out, "
            "then go on with --resume"
        )
