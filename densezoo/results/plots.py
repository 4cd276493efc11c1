"""Diagrams as files; matplotlib is the extra ``plots``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezoo.errors import MissingDependencyError, ResultError
from densezoo.files import PLOT, replacing, written_as


def reliability_diagram(path: Path, bins: Sequence[tuple[int, float, float]], title: str) -> None:
    """Draw accuracy over confidence, and the diagonal of a calibrated network.

    Args:
        path: the file to write; its extension chooses the format.
        bins: (images, mean confidence 0 to 1, accuracy 0 to 1) of each bin that has images; dots show how many.
        title: of the diagram.

    Raises:
        MissingDependencyError: no matplotlib.
        ResultError: the file can't be written.
        ConfigError: not the extension of a plot.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError("drawing diagrams", "matplotlib", "plots") from None
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color="grey", linestyle="--", label="calibrated")
    if bins:
        images, confidence, accuracy = zip(*bins)
        axes.plot([100 * x for x in confidence], [100 * y for y in accuracy], color="tab:blue", label="measured")
        areas = [20 + 400 * count / sum(images) for count in images]
        axes.scatter([100 * x for x in confidence], [100 * y for y in accuracy], areas, color="tab:blue", alpha=0.5)
    axes.set(xlabel="confidence, %", ylabel="accuracy, %", title=title, xlim=(0, 101), ylim=(0, 101))
    axes.legend()

    def unwritable(reason: str) -> ResultError:
        return ResultError(f"{path}: the diagram can't be written ({reason}); choose another path")

    with replacing(path, unwritable) as hidden:
        figure.savefig(hidden, format=written_as(path, "plot", PLOT), dpi=120)
