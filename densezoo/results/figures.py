"""What all diagrams share: width, light and dark colours, how a file is written. matplotlib is the extra ``plots``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from densezoo.errors import MissingDependencyError, ResultError, UnknownNameError
from densezoo.files import PLOT, replacing, written_as

Figure: TypeAlias = Any  # matplotlib's, which is imported when something is drawn
Axes: TypeAlias = Any

WIDTH = 8.3  # inches: at 100 dots an inch the 830 pixels that a README shows
DOTS = 200  # an inch of a PNG: two for each of a README's pixels, as sharp screens have


@dataclass(frozen=True)
class Theme:
    """Colours, told apart with any colour vision (Okabe and Ito's).

    Args:
        background, text, faint: of the diagram, what is written, what stays behind: grids and what is less important.
        series: of lines and dots, in the order in which they are used.
        heat: matplotlib's colour map from little to much.
    """

    background: str
    text: str
    faint: str
    series: tuple[str, ...]
    heat: str


THEMES = {
    "light": Theme("#ffffff", "#1f2328", "#8c959f", ("#0072b2", "#d55e00", "#009e73", "#a64d79"), "YlGnBu"),
    "dark": Theme("#0d1117", "#e6edf3", "#6e7681", ("#56b4e9", "#ff9e4a", "#3ecfa0", "#e6a0c8"), "viridis"),
}


def get_theme(name: str) -> Theme:
    """The colours of a name.

    Args:
        name: a key of THEMES.

    Raises:
        UnknownNameError: there are none of that name.
    """
    if name not in THEMES:
        raise UnknownNameError("theme", name, THEMES)
    return THEMES[name]


@contextmanager
def drawing(height: float, theme: str = "light", width: float = WIDTH) -> Iterator[tuple[Figure, Theme]]:
    """An empty figure in the looks of a theme, which what is drawn until the block ends gets.

    Args:
        height, width: in inches, of which 8.3 are a README's width.
        theme: a key of THEMES.

    Raises:
        MissingDependencyError: no matplotlib.
        UnknownNameError: there is no such theme.
    """
    colours = get_theme(theme)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError("drawing diagrams", "matplotlib", "plots") from None
    text = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.labelcolor", "ytick.labelcolor")
    ground = ("figure.facecolor", "axes.facecolor", "legend.facecolor", "savefig.facecolor")
    faint = ("axes.edgecolor", "xtick.color", "ytick.color", "grid.color", "legend.edgecolor")
    looks: dict[Any, Any] = {
        name: colour for names, colour in ((text, colours.text), (ground, colours.background)) for name in names
    }
    looks |= dict.fromkeys(faint, colours.faint) | {"axes.axisbelow": True, "grid.alpha": 0.35, "font.size": 9.5}
    with rc_context(looks):
        yield Figure(figsize=(width, height), layout="constrained"), colours


def write_figure(path: Path, figure: Figure) -> None:
    """Write a diagram; the file is written whole or not at all, the same each time.

    Args:
        path: .png, .svg or .pdf.
        figure: of `drawing`.

    Raises:
        ResultError: the file can't be written.
        ConfigError: not the extension of a diagram.
    """
    kind = written_as(path, "plot", PLOT)
    undated: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}

    def unwritable(reason: str) -> ResultError:
        return ResultError(f"{path}: the diagram can't be written ({reason}); choose another path")

    with replacing(path, unwritable) as hidden:
        from matplotlib import rc_context

        with rc_context({"svg.hashsalt": "densezoo"}):
            figure.savefig(hidden, format=kind, dpi=DOTS, metadata=undated.get(kind))
