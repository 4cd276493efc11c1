"""Diagrams of predictions: how far confidence can be trusted, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezoo.results.figures import Axes, Theme, drawing, write_figure

SHOWN_CLASSES = 20  # of a confusion matrix, at most: more can't be read at a README's width
SHOWN_LETTERS = 22  # of a class name


def reliability_diagram(
    path: Path, bins: Sequence[tuple[int, float, float]], title: str, theme: str = "light", error: float | None = None
) -> None:
    """Draw accuracy over confidence with the diagonal of a calibrated network, and how many images have which.

    Args:
        path: the file to write; its extension chooses the format.
        bins: (images, mean confidence 0 to 1, accuracy 0 to 1) of each bin that has images.
        title: of the diagram.
        theme: of `densezoo.results.figures.THEMES`.
        error: the expected calibration error, percent; None: not known.

    Raises:
        MissingDependencyError: no matplotlib.
        ResultError: the file can't be written.
        ConfigError: not the extension of a plot.
    """
    with drawing(4.4, theme) as (figure, colours):
        axes, shares = figure.subplots(1, 2, width_ratios=[1.25, 1])
        axes.plot([0, 100], [0, 100], color=colours.faint, linestyle="--", label="calibrated")
        if bins:
            images, confidence, accuracy = (np.array(column) for column in zip(*bins))
            blue = colours.series[0]
            gaps = {"color": colours.series[1], "linewidth": 2, "label": "difference"}
            axes.vlines(100 * confidence, 100 * confidence, 100 * accuracy, **gaps)
            axes.plot(100 * confidence, 100 * accuracy, "o-", color=blue, label="measured", markersize=5)
            shares.bar(100 * confidence, 100 * images / images.sum(), width=5, color=colours.faint)
        words = "" if error is None else f"\nexpected calibration error {error:.2f} %"
        axes.set(xlabel="confidence, %", ylabel="accuracy, %", xlim=(0, 101), ylim=(0, 101), aspect="equal")
        shares.set(xlabel="confidence, %", ylabel="share of the images, %", xlim=(0, 101))
        shares.set_title("how sure the network is", fontsize=9.5)
        axes.set_title("how often it is right" + words, fontsize=9.5)
        figure.suptitle(title)
        for each in (axes, shares):
            each.grid()
        axes.legend(loc="upper left")
        write_figure(path, figure)


def confusion_matrix(
    path: Path, table: NDArray[np.int64], names: Sequence[str], title: str, theme: str = "light"
) -> None:
    """Draw which classes are taken for which; of more than SHOWN_CLASSES those that are confused most.

    Args:
        path: the file to write; its extension chooses the format.
        table: (classes, classes) number of images by label and predicted class.
        names: of the classes.
        title: of the diagram.
        theme: of `densezoo.results.figures.THEMES`.

    Raises:
        MissingDependencyError: no matplotlib.
        ResultError: the file can't be written.
        ConfigError: not the extension of a plot.
    """
    chosen = confused_most(table, SHOWN_CLASSES)
    rows = table.sum(1)[chosen, None]
    shares = 100 * table[np.ix_(chosen, chosen)] / np.maximum(rows, 1)
    size = len(chosen)
    with drawing(1.9 + 6.1 * max(size, 8) / SHOWN_CLASSES * (1.35 if size < 14 else 1), theme) as (figure, colours):
        axes = figure.add_subplot()
        drawn = axes.imshow(np.where(shares > 0, shares, np.nan), cmap=colours.heat, vmin=0, vmax=100, aspect="auto")
        _write_counts(axes, table[np.ix_(chosen, chosen)], shares, colours)
        shown = [_short(names[label]) for label in chosen]
        long = max(map(len, shown)) > 3
        axes.set_xticks(range(size), shown, rotation=45 if long else 0, ha="right" if long else "center")
        axes.set_yticks(range(size), shown)
        axes.tick_params(length=0)
        axes.set(xlabel="predicted", ylabel="label")
        figure.colorbar(drawn, label="share of the label's images, %", fraction=0.04, pad=0.02)
        some = f"\nthe {size} of {len(table):,} classes that are confused most" if size < len(table) else ""
        figure.suptitle(title + some)
        write_figure(path, figure)


def confused_most(table: NDArray[np.int64], most: int) -> list[int]:
    """The classes of the most frequent confusions, in the order of their labels; all, if they are few enough.

    Args:
        table: (classes, classes) number of images by label and predicted class.
        most: how many classes at most.
    """
    if len(table) <= most:
        return list(range(len(table)))
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    pairs = np.argwhere(wrong).tolist()
    chosen: dict[int, None] = {}
    for label, predicted in sorted(pairs, key=lambda pair: (-wrong[tuple(pair)], pair)):
        if len({*chosen, label, predicted}) <= most:
            chosen |= {label: None, predicted: None}
    return sorted(chosen)


def _write_counts(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64], colours: Theme) -> None:
    """The number of images in each cell that has some, in black or white, whichever is seen on the cell's colour."""
    from matplotlib import colormaps

    for (row, column), count in np.ndenumerate(counts):
        if count:
            red, green, blue, _ = colormaps[colours.heat](shares[row, column] / 100)
            is_bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
            axes.text(
                column, row, count, ha="center", va="center", fontsize=7.5, color="black" if is_bright else "white"
            )


def _short(name: str) -> str:
    return name if len(name) <= SHOWN_LETTERS else f"{name[: SHOWN_LETTERS - 3].rstrip()}..."
