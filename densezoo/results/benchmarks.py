"""Stores each benchmark as a JSON file, ``<folder>/<what>.<instruction set>.<model>[.<images>].json``."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from densezoo import schema
from densezoo.errors import ResultError
from densezoo.files import write_atomically
from densezoo.types.benchmark import Benchmark

FOLDER = "benchmarks"  # of results/
OTHERS = ("formats.json",)  # files of the folder that hold no `Benchmark`


def benchmark_path(folder: Path, benchmark: Benchmark) -> Path:
    """The file of a benchmark: another run of the same one on the same instruction set replaces it.

    Args:
        folder: of benchmarks.
        benchmark: the run.
    """
    size = benchmark.images
    parts = [benchmark.what, benchmark.instruction_set, benchmark.model, *([] if size is None else [str(size)])]
    return folder / (".".join(re.sub(r"[^\w.-]+", "-", part) for part in parts) + ".json")


def write_benchmark(folder: Path, benchmark: Benchmark) -> Path:
    """Store a benchmark; the file is written whole or not at all. Return it.

    Args:
        folder: of benchmarks.
        benchmark: the run.

    Raises:
        ResultError: the folder can't be written.
    """
    path = benchmark_path(folder, benchmark)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(_without_empty(dataclasses.asdict(benchmark)), indent=1) + "\n")
    except OSError as error:
        raise ResultError(f"{path}: the benchmark can't be written ({error.strerror}); choose another folder") from None
    return path


def _without_empty(values: object) -> object:
    """The same values, where mappings lack what is None, and floats have six digits."""
    if isinstance(values, dict):
        return {key: _without_empty(value) for key, value in values.items() if value is not None}
    if isinstance(values, (list, tuple)):
        return [_without_empty(value) for value in values]
    return float(f"{values:.6g}") if isinstance(values, float) else values


def read_benchmark(path: Path) -> Benchmark:
    """A stored benchmark.

    Args:
        path: its file.

    Raises:
        ResultError: the file is none; names file and field.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not a stored benchmark ({error}); measure it again or remove the file") from None
    benchmark = schema.build(Benchmark, values, str(path), ResultError)
    if path.name != (expected := benchmark_path(path.parent, benchmark).name):
        raise ResultError(f"{path}: holds another benchmark; expected the name {expected}")
    return benchmark


def read_benchmarks(folder: Path) -> list[Benchmark]:
    """Every benchmark that is stored in a folder, ordered by file name; `formats.json` is left out.

    Args:
        folder: of benchmarks.

    Raises:
        ResultError: a file is none.
    """
    return [read_benchmark(path) for path in sorted(folder.glob("*.json")) if path.name not in OTHERS]
