"""The one evaluation loop: each step's records go to the log, and nothing else is kept (tools/test.py, training)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from densezoo.data.loading import Batch
from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Measures, Records, counted_wrong, score
from densezoo.evaluation.record_log import RecordLog
from densezoo.types import Coverage

Backend = Callable[[Tensor], Tensor]


def remaining(log: RecordLog, shard: range, num_protocols: int) -> range:
    """The images of this process's share that the log doesn't have yet.

    Raises:
        EvaluationError: the log holds other images than the first of the share.
    """
    done = log.num_records // num_protocols
    logged = (index for part in log for index in part["index"][part["protocol"] == 0].tolist())
    if done > len(shard) or any(found != expected for found, expected in zip(logged, shard)):
        raise EvaluationError(f"{log.path}: holds other images than this run scores; leave out --resume to start anew")
    return shard[done:]


def evaluate(
    backends: Sequence[Backend],
    steps: Iterable[Sequence[Batch]],
    log: RecordLog,
    *,
    total: int,
    done: int = 0,
    show_progress: bool = False,
) -> None:
    """Score every step's images and log them.

    Args:
        backends: one a protocol: pixels (N, C, H, W) -> logits (N, num_classes).
        steps: one batch a protocol each time, of the same images.
        total, done: images of this process, and those that the log already has.

    Raises:
        EvaluationError: logits that are no numbers; the log can't be written.
    """
    with _progress(total, done, show_progress) as advance:
        start = time.perf_counter()
        for batches in steps:
            parts = [_records(*pair, number) for number, pair in enumerate(zip(backends, batches))]
            now = time.perf_counter()
            log.append(np.concatenate(parts), now - start)
            start = now
            advance(len(parts[0]))


def _records(backend: Backend, batch: Batch, protocol: int) -> Records:
    """In the order of the images, those that can't be read among them."""
    wrong = batch.unreadable
    records = counted_wrong(batch.indices[wrong], batch.labels[wrong], protocol)
    if len(batch.pixels):
        read = score(backend(batch.pixels), batch.labels[~wrong], batch.indices[~wrong], protocol)
        records = np.concatenate([read, records])
    return records[np.argsort(records["index"])]


def certify(measures: Measures, ids: Sequence[str]) -> Coverage:
    """What became of every id of the dataset.

    Raises:
        EvaluationError: an image was scored twice or not at all.
    """
    missing, duplicated = np.flatnonzero(measures.seen == 0), np.flatnonzero(measures.seen > 1)
    for what, indices in (("were not scored", missing), ("were scored more than once", duplicated)):
        if len(indices):
            raise EvaluationError(
                f"{len(ids):,} images were to be scored once each; {len(indices):,} {what}, such as {ids[indices[0]]}"
            )
    unreadable = tuple(ids[i] for i in sorted(measures.unreadable))
    return Coverage(len(ids), len(ids) - len(unreadable), unreadable, len(duplicated))


@contextmanager
def _progress(total: int, done: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with images/s, or a line every tenth where stderr is a file; yields what to call each batch."""
    columns = (
        TextColumn("evaluating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (show and console.is_terminal)) as progress:
        task = progress.add_task("", total=total, completed=done, speed="")

        def advance(images: int) -> None:
            state = progress.tasks[0]
            tenths = 10 * state.completed // total
            progress.update(task, advance=images)
            if state.elapsed:
                progress.update(task, speed=f"{(state.completed - done) / state.elapsed:.0f} images/s")
            if show and not console.is_terminal and 10 * state.completed // total > tenths:
                console.print(f"evaluating {state.completed:.0f}/{total} {state.fields['speed']}", highlight=False)

        yield advance
