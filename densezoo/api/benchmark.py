"""Measures the times of several programs in interleaved runs, and stores them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from densezoo.conversion.load import load_checkpoint
from densezoo.evaluation.timing import interleaved_medians, load_with_torchfile
from densezoo.files import write_atomically
from densezoo.paths import RESULTS, ROOT
from densezoo.results import provenance


class LoadingTime(TypedDict):
    """The time to load one file as a model.

    Args:
        file: its name.
        mib: its size.
        seconds: median.
        torchfile_seconds: median of PyPI's torchfile; None if it isn't installed or can't read the file.
        ratio: torchfile_seconds / seconds.
    """

    file: str
    mib: float
    seconds: float
    torchfile_seconds: float | None
    ratio: float | None


def benchmark_formats(
    files: Sequence[str | Path], *, rounds: int = 5, folder: str | Path = RESULTS / "benchmarks"
) -> tuple[Path, list[LoadingTime]]:
    """Measure how long checkpoint files take to load as models, beside PyPI's torchfile if it is installed.

    Args:
        files: the checkpoint files.
        rounds: interleaved runs of every reader and file.
        folder: of the stored result, formats.json.

    Returns:
        The path of the stored result, and a row for each file.

    Raises:
        FormatError, CheckpointError: a file can't be loaded.
    """
    rows: list[LoadingTime] = []
    for path in map(Path, files):
        runs: dict[str, Callable[[], object]] = {"densezoo": functools.partial(load_checkpoint, path)}
        if load_with_torchfile(path) is not None:
            runs["torchfile"] = functools.partial(load_with_torchfile, path)
        medians = interleaved_medians(runs, rounds)
        theirs = medians.get("torchfile")
        ratio = theirs / medians["densezoo"] if theirs else None
        mib = path.stat().st_size / 2**20
        rows.append(
            {"file": path.name, "mib": mib, "seconds": medians["densezoo"], "torchfile_seconds": theirs, "ratio": ratio}
        )
    facts = {"rounds": rounds, "versions": provenance.versions(), "date": provenance.now()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    stored = Path(folder) / "formats.json"
    write_atomically(stored, json.dumps({"files": rows, **facts, "commit": provenance.commit(ROOT)}, indent=2) + "\n")
    return stored, rows
