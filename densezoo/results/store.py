"""One measurement, one JSON file: ``<folder>/<dataset>/<model>@<conditions>.json`` (`densezoo.types.Conditions`)."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from densezoo import schema
from densezoo.errors import ResultError
from densezoo.types import Conditions, EvalResult


def result_path(folder: Path, result: EvalResult) -> Path:
    """Where a result is stored; measuring the same again replaces it."""
    return folder / result.dataset / f"{file_stem(result.model, result.conditions)}.json"


def file_stem(model: str, conditions: Conditions) -> str:
    """What the files of a measurement are called before their ending: its result, its failure, its state."""
    return re.sub(r"[^\w.@+-]", "_", f"{model}@{conditions}")


def write_result(folder: str | Path, result: EvalResult) -> Path:
    """Store a result; the file is whole or not there at all.

    Raises:
        ResultError: the folder can't be written.
    """
    path = result_path(Path(folder), result)
    text = json.dumps(dataclasses.asdict(result), indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise ResultError(f"{path}: the result can't be written ({error.strerror}); choose another --out") from None
    return path


def failure_path(folder: Path, model: str, conditions: Conditions) -> Path:
    """Where a sweep says why it has no result, beside the place of the result."""
    return folder / conditions.dataset / f"{file_stem(model, conditions)}.error.txt"


def record_failure(path: Path, error: str) -> None:
    """Store why a measurement failed.

    Raises:
        ResultError: the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{error}\n")
    except OSError as reason:
        raise ResultError(f"{path}: the error can't be recorded ({reason.strerror}): {error}") from None


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file in one step: a reader, or a run that was killed, sees the old text or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check_writable(folder: Path, size: int) -> None:
    """Find out before the work starts whether a folder, made if need be, takes ``size`` bytes more.

    Raises:
        ResultError: it is read-only, no folder, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ResultError(f"{folder}: results can't be stored there ({error.strerror}); choose another --out") from None
    if free < size:
        raise ResultError(
            f"{folder}: expected room for {size:,} bytes of state and results, found {free:,}; "
            "make room or choose another --out"
        )


def read_results(folder: str | Path) -> list[EvalResult]:
    """Every evaluation stored below a folder, ordered by file name.

    Raises:
        ResultError: a file is no result; names file and field.
    """
    return [_read_result(path) for path in sorted(Path(folder).glob("*/*@*.json"))]


def _read_result(path: Path) -> EvalResult:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not a stored result ({error}); measure it again or remove the file") from None
    return schema.build(EvalResult, values, str(path), ResultError)
