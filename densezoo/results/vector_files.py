"""Feature vectors as files, written as they are made: .npy with the images' names in a .json beside it, or parquet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import MissingDependencyError, ResultError
from densezoo.files import Extensions, replacing, write_atomically
from densezoo.types import RunFacts

VECTORS: Extensions = {".npy": ("npy",), ".parquet": ("parquet",)}
ROWS = 1024  # of a row group of parquet
Row = tuple[str, NDArray[np.float32]]  # (what an image is called, its features)


def names_beside(path: Path) -> Path:
    """The file of an .npy file's names: {"model": ..., "images": [...]}.

    Args:
        path: the .npy file.
    """
    return path.with_suffix(".json")


def write_vectors(path: Path, width: int, rows: Iterable[Row], facts: Callable[[], RunFacts]) -> int:
    """Write vectors, a few in memory at a time; the file is written whole or not at all.

    Args:
        path: the file, .npy or .parquet.
        width: features of an image.
        rows: of every image.
        facts: of the run; asked when the last row has come.

    Returns:
        How many there were.

    Raises:
        MissingDependencyError: no pyarrow for a parquet file.
        ResultError: the file can't be written.
    """

    def unwritable(reason: str) -> ResultError:
        return ResultError(f"{path}: features can't be written ({reason}); choose another file by -o")

    write = _write_npy if path.suffix.lower() == ".npy" else _write_parquet
    with replacing(path, unwritable) as hidden:
        names = write(hidden, width, rows, facts)
        if write is _write_npy:  # before the vectors have their name: none are there without their names
            write_atomically(names_beside(path), json.dumps({**_known(facts()), "images": names}, indent=1) + "\n")
    return len(names)


def _known(facts: RunFacts) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(facts).items() if value not in (None, "")}


def _write_npy(path: Path, width: int, rows: Iterable[Row], facts: Callable[[], RunFacts]) -> Sequence[str]:
    names = []
    with open(path, "xb") as file:
        _write_header(file, 0, width)
        for name, features in rows:
            names.append(name)
            file.write(np.ascontiguousarray(features, "<f4").tobytes())
        file.seek(0)
        _write_header(file, len(names), width)
    return names


def _write_header(file: BinaryIO, number: int, width: int) -> None:
    """The header of an .npy file; NumPy pads it so that it is as long for any number of rows."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (number, width)}
    np.lib.format.write_array_header_1_0(file, header)


def _write_parquet(path: Path, width: int, rows: Iterable[Row], facts: Callable[[], RunFacts]) -> Sequence[str]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingDependencyError("a parquet file of features", "pyarrow", "parquet") from None
    schema = pyarrow.schema({"image": pyarrow.string(), "features": pyarrow.list_(pyarrow.float32(), width)})
    names: list[str] = []
    waiting: list[NDArray[np.float32]] = []
    with open(path, "xb"), parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            flat = np.concatenate(waiting) if waiting else np.empty(0, np.float32)
            lists = pyarrow.FixedSizeListArray.from_arrays(flat, width)
            writer.write_table(pyarrow.table([names[len(names) - len(waiting) :], lists], schema=schema))
            waiting.clear()

        for name, features in rows:
            names.append(name)
            waiting.append(features)
            if len(waiting) >= ROWS:
                flush()
        flush()
        writer.add_key_value_metadata({"densezoo": json.dumps(_known(facts()))})
    return names
