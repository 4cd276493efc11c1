"""One readable line on how a training goes: in a terminal beside a bar, elsewhere one line an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from densezoo.training.events import Epoch, Step

WIDTH = 80  # columns that no line is longer than
EVERY = 60.0  # seconds after which an epoch that isn't done gets a line where there is no terminal


class ProgressLine:
    """Writes to stderr how far a run is: epoch, loss, top-1, images/s, time left.

    In a terminal a bar shows the epoch that runs, and each epoch that is done leaves its line above it; elsewhere there
    are whole lines: one an epoch, and of long epochs one a minute.

    Args:
        epochs: of the whole run.
        clock: seconds, of which differences are taken.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs, self._clock = epochs, clock
        self._console = Console(stderr=True, highlight=False)
        line, bar = TextColumn("{task.fields[line]}", table_column=Column(no_wrap=True)), BarColumn(bar_width=None)
        disable = not self._console.is_terminal
        self._bar = Progress(line, bar, console=self._console, transient=True, expand=True, disable=disable)
        self._task = self._bar.add_task("", total=None, line="")
        self._said = clock()
        self._start: tuple[float, int] | None = None  # when this process began, and after how many steps of the run
        self._sums = _Sums()

    def on_step(self, step: Step) -> None:
        if self._start is None:
            self._start = self._clock() - step.seconds, step.step - 1
        self._sums.add(step)
        if self._console.is_terminal:
            an_epoch = step.steps // self._epochs
            self._bar.start()  # does nothing if it was started
            self._bar.update(
                self._task, completed=step.step - (step.epoch - 1) * an_epoch, total=an_epoch, line=self._running(step)
            )
        elif self._clock() - self._said >= EVERY:
            self._say(self._running(step))

    def on_epoch(self, epoch: Epoch) -> None:
        steps = epoch.step // epoch.epoch * epoch.epochs
        named = [f"epoch {epoch.epoch}/{epoch.epochs}", *figures(epoch.train_loss, epoch.train_top1)]
        self._say(fitted([*named, measured(epoch.measures), self._sums.speed(), self._left(epoch.step, steps)]))
        self._sums = _Sums()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def _running(self, step: Step) -> str:
        """The line of an epoch that isn't done."""
        done = (step.step - 1) / (step.steps // self._epochs)
        named = [f"epoch {done:.1f}/{self._epochs}", *figures(self._sums.loss, self._sums.top1)]
        return fitted([*named, self._sums.speed(), self._left(step.step, step.steps)])

    def _left(self, step: int, steps: int) -> str:
        """The time of the remaining steps, if with their evaluations they take as long as those of this process."""
        if self._start is None or step == steps:
            return ""
        began, before = self._start
        return f"{duration((self._clock() - began) / (step - before) * (steps - step))} left"

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
        self._said = self._clock()


class _Sums:
    """Means over the images of an epoch so far, as far as this process did them."""

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0
        self._loss, self._correct, self._named = 0.0, 0.0, 0

    def add(self, step: Step) -> None:
        """Count a step in."""
        self.images += step.images
        self.seconds += step.seconds
        self._loss += step.loss * step.images
        if step.top1 is not None:
            self._correct += step.top1 * step.images
            self._named += step.images

    @property
    def loss(self) -> float:
        """Mean loss."""
        return self._loss / self.images

    @property
    def top1(self) -> float | None:
        """Percent of the images whose class was named; None: of none it was taken."""
        return self._correct / self._named if self._named else None

    def speed(self) -> str:
        """Images a second; "" before the first step."""
        rate = self.images / self.seconds if self.seconds else 0.0
        return f"{rate:.{0 if rate >= 100 else 1}f} images/s" if rate else ""


def figures(loss: float, top1: float | None) -> tuple[str, str]:
    """Loss and accuracy on the training images, in a few characters.

    Args:
        loss: mean.
        top1: percent; None: not taken.
    """
    return f"loss {loss:.{3 if abs(loss) < 100 else 0}f}", "" if top1 is None else f"top-1 {top1:.1f}"


def measured(measures: Mapping[str, float]) -> str:
    """What an evaluation is told by: its first measure; "": there was none.

    Args:
        measures: {"top1": percent, ...}.
    """
    name, value = next(iter(measures.items()), ("", 0.0))
    return "" if not name else f"test {value:.2f} %" if name == "top1" else f"test {name} {value:.4g}"


def duration(seconds: float) -> str:
    """A time by its two largest units, "1h 05m".

    Args:
        seconds: of the time.
    """
    whole = round(seconds)
    for unit, lesser, size, part in (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // part:02d}{lesser}"
    return f"{whole}s"


def fitted(parts: Sequence[str]) -> str:
    """The parts that aren't empty as one line of at most WIDTH columns, two spaces between them if that fits.

    Args:
        parts: of the line.
    """
    there = [part for part in parts if part]
    wide = "  ".join(there)
    return wide if len(wide) <= WIDTH else " ".join(there)
