"""The one evaluation loop: a pure step gives counts, the loop only adds (tools/test.py, training, sweeps)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from densezoo.data.loading import Batch
from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Counts, count

Backend = Callable[[Tensor], Tensor]


def evaluate(
    backend: Backend, batches: Iterable[Batch], expected: Sequence[int], *, show_progress: bool = False
) -> Counts:
    """The counts of all batches.

    Args:
        backend: uint8 pixels (N, C, H, W) -> logits (N, num_classes).
        expected: the image indices that the batches have to cover, each once.

    Raises:
        EvaluationError: an image was scored twice or not at all; NaN logits.
    """
    total, scored = Counts(), []
    with _progress(len(expected), show_progress) as advance:
        for batch in batches:
            total += count(backend(batch.pixels), batch.labels)
            scored += batch.indices.tolist()
            advance(len(batch.labels))
    if sorted(scored) != sorted(expected):
        raise EvaluationError(f"{len(expected)} images were to be scored once each; {len(scored)} were scored")
    return total


@contextmanager
def _progress(total: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with images/s; yields what to call after each batch."""
    columns = (
        TextColumn("evaluating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        task = progress.add_task("", total=total, speed="")

        def advance(images: int) -> None:
            progress.update(task, advance=images)
            done = progress.tasks[0]
            if done.elapsed:
                progress.update(task, speed=f"{done.completed / done.elapsed:.0f} images/s")

        yield advance
