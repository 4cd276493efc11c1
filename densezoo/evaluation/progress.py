"""Shows the progress of a run on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(
    activity: str, total: int, done: int = 0, *, show: bool, patience: float = 0.0
) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr with images/s; if stderr is no terminal, a line after every tenth.

    Args:
        activity: what is done with the images, such as "hashing".
        total, done: number of all images, and of those that were done before.
        show: False: show nothing.
        patience: seconds before anything is shown.

    Yields:
        A function to call with the number of further images that are done.
    """
    columns = (
        TextColumn(activity),
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
        bar.start()  # does nothing if it was started
        if not console.is_terminal and 10 * state.completed // total > tenths:
            console.print(f"{activity} {state.completed:.0f}/{total} {state.fields['speed']}", highlight=False)

    try:
        yield advance
    finally:
        bar.stop()
