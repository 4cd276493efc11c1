"""The picture of a run: loss, top-1 and learning rate over the epochs. matplotlib is the extra ``plots``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from densezoo.errors import TrainingError
from densezoo.results.figures import Axes, Figure, Theme, drawing, write_figure
from densezoo.training.events import Epoch
from densezoo.training.logs import CURVES, JSON_LINES, Record, read_records

SHOWN_STEPS = 2_000  # dots of single steps, at most
TRAINING, TEST, RATE, BEST = 0, 1, 2, 3  # places in a theme's series of colours
#: Fields of an epoch's record that no evaluation measured.
NO_MEASURES = {"event", *(field.name for field in dataclasses.fields(Epoch))}


def draw_curves(folder: Path, title: str) -> Path:
    """Draw what the JSON lines of a run hold; return the picture's path.

    Args:
        folder: of the run.
        title: of the picture.

    Raises:
        MissingDependencyError: no matplotlib.
        TrainingError: no epoch is logged.
        ResultError: the picture can't be written.
    """
    path, figure = folder / CURVES, make_figure(read_records(folder / JSON_LINES), title)
    if figure is None:
        raise TrainingError(f"{folder / JSON_LINES}: expected at least one epoch to draw, found none")
    write_figure(path, figure)
    return path


def make_figure(records: Sequence[Record], title: str, theme: str = "light") -> Figure:
    """The picture as matplotlib's figure, as wide as a README shows it; None: no epoch is among the records.

    Args:
        records: of JSON lines.
        title: of the picture.
        theme: of `densezoo.results.figures.THEMES`.

    Raises:
        MissingDependencyError: no matplotlib.
    """
    epochs = [record for record in records if record["event"] == "epoch"]
    steps = [record for record in records if record["event"] == "step"]
    if not epochs:
        return None
    an_epoch = epochs[0]["step"] / epochs[0]["epoch"]  # steps
    with drawing(6.6, theme) as (figure, colours):
        loss, accuracy, rate = figure.subplots(3, sharex=True, height_ratios=[3, 3, 1.4])
        _draw_loss(loss, steps[:: -(-len(steps) // SHOWN_STEPS) or 1], epochs, an_epoch, colours)
        _draw_accuracy(accuracy, epochs, colours)
        positions = [step["step"] / an_epoch for step in steps]
        rate.plot(positions, [step["lr"] for step in steps], color=colours.series[RATE])
        rate.set(ylabel="learning rate", xlabel="epoch", ylim=(0, None), xlim=(0, 1.01 * epochs[-1]["epoch"]))
        figure.suptitle(title)
        for axes in (loss, accuracy, rate):
            axes.grid()
    return figure


def _draw_loss(axes: Axes, steps: Sequence[Record], epochs: Sequence[Record], an_epoch: float, colours: Theme) -> None:
    """Dots of single steps, over them a line through the means of the epochs.

    Args:
        axes: matplotlib's.
        steps, epochs: records.
        an_epoch: steps of an epoch.
        colours: of the picture.
    """
    positions = [step["step"] / an_epoch for step in steps]
    losses = [step["loss"] for step in steps]
    axes.plot(
        positions, losses, ".", markersize=3, color=colours.series[TRAINING], alpha=0.4, label="training, single steps"
    )
    axes.plot(*_series(epochs, "train_loss"), _style(epochs), color=colours.series[TRAINING], label="training")
    if (measured := _series(epochs, "loss"))[0]:
        axes.plot(*measured, _style(epochs), color=colours.series[TEST], label="test")
    axes.set(ylabel="loss", yscale="log")
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend()


def _draw_accuracy(axes: Axes, epochs: Sequence[Record], colours: Theme) -> None:
    """The first measure of the evaluations, its best marked; of top-1 the training images' beside it.

    Args:
        axes: matplotlib's.
        epochs: records.
        colours: of the picture.
    """
    measures = [name for epoch in epochs for name in epoch if name not in NO_MEASURES]
    name = measures[0] if measures else "top1"
    if name == "top1" and (trained := _series(epochs, "train_top1"))[0]:
        axes.plot(*trained, _style(epochs), color=colours.series[TRAINING], label="training")
    if (measured := _series(epochs, name))[0]:
        axes.plot(*measured, _style(epochs), color=colours.series[TEST], label="test")
        best, epoch = max(zip(measured[1], measured[0]), key=lambda pair: (pair[0], -pair[1]))
        text = f"best: {best:.2f} %" if name == "top1" else f"best: {best:.4g}"
        axes.plot(
            epoch,
            best,
            "o",
            markersize=9,
            markerfacecolor="none",
            color=colours.series[BEST],
            label=f"{text}, epoch {epoch}",
        )
    axes.set(ylabel="top-1, %" if name == "top1" else name)
    if axes.lines:
        axes.legend(loc="best")


def _style(epochs: Sequence[Record]) -> str:
    """A line, with a dot for each epoch where there is room for dots."""
    return ".-" if len(epochs) <= 60 else "-"


def _series(epochs: Sequence[Record], name: str) -> tuple[list[int], list[float]]:
    """(epochs, values) of a field, of those epochs that have it."""
    pairs = [(epoch["epoch"], epoch[name]) for epoch in epochs if epoch.get(name) is not None]
    return [number for number, _ in pairs], [value for _, value in pairs]
