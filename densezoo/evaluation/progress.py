"""How far a run is, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(
    what: str, total: int, done: int = 0, *, show: bool, patience: float = 0.0
) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with images/s, or a line every tenth where stderr is a file; yields what to call each batch.

    Args:
        what: is done with the images.
        total, done: images in all, and those that were done before.
        patience: seconds before anything is shown.
    """
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    bar = Progress(*columns, console=console, disable=not (show and console.is_terminal))
    task = bar.add_task("", total=total, completed=done, speed="")

    def advance(images: int) -> None:
        state = bar.tasks[0]
        tenths = 10 * state.completed // total
        bar.update(task, advance=images)
        elapsed = state.elapsed or 0.0
        if elapsed:
            bar.update(task, speed=f"{(state.completed - done) / elapsed:.0f} images/s")
        if elapsed < patience or not show:
            return
        bar.start()  # again is nothing
        if not console.is_terminal and 10 * state.completed // total > tenths:
            console.print(f"{what} {state.completed:.0f}/{total} {state.fields['speed']}", highlight=False)

    try:
        yield advance
    finally:
        bar.stop()
