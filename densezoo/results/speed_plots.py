"""The plot of docs/speed.md: images a second of one network by program. matplotlib is the extra ``plots``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO

from densezoo.errors import MissingDependencyError
from densezoo.results.figures import Figure
from densezoo.results.pictures import KEY
from densezoo.results.speed_pages import chosen
from densezoo.results.speed_tables import OWN, ceiling, name_of, rates, unheld_note
from densezoo.results.statistics import spread
from densezoo.types.benchmark import Benchmark

PATH = "docs/pictures/speed.png"
MODELS = ("densenet121", "densenet_bc_100_12")
NOTE = " (*: takes the best instruction set of the CPU)"
Bars = Mapping[str, Mapping[str, float]]


def bars(benchmarks: Sequence[Benchmark]) -> Bars:
    """{title of a diagram: {program, marked if it is unheld: median images a second}}.

    There is one diagram for each model of MODELS and instruction set.

    Args:
        benchmarks: of all kinds.
    """
    bars: dict[str, dict[str, float]] = {}
    for each in chosen(benchmarks, "inference"):
        if each.model in MODELS:
            title = f"{each.model} at {each.image_size} px, {each.instruction_set}, {each.threads} threads, float32"
            exact = [c for c in each.contestants if c.precision == "float32" and rates(each, c)]
            heights = {name_of(each, c): float(f"{spread(rates(each, c)).median:.4g}") for c in exact}
            limit = {"matrix-product ceiling": float(f"{spread(ceiling(each, 'float32')).median:.4g}")}
            bars[title] = {**dict(sorted(heights.items(), key=lambda pair: -pair[1])), **limit}
    return bars


def draw(shown: Bars) -> bytes:
    """The plot as a PNG that carries what it shows.

    Args:
        shown: of `bars`.

    Raises:
        MissingDependencyError: no matplotlib.
    """
    buffer = BytesIO()
    make_figure(shown).savefig(buffer, format="png", dpi=80, metadata={KEY: json.dumps(shown, sort_keys=True)})
    return buffer.getvalue()


def make_figure(shown: Bars) -> Figure:
    """The plot as matplotlib's figure.

    Args:
        shown: of `bars`.

    Raises:
        MissingDependencyError: no matplotlib.
    """
    try:
        import matplotlib.figure
    except ImportError:
        raise MissingDependencyError("drawing diagrams", "matplotlib", "plots") from None
    figure = matplotlib.figure.Figure(
        figsize=(8, 0.8 + sum(0.7 + 0.28 * len(each) for each in shown.values())), layout="constrained"
    )
    sizes = [len(each) + 2 for each in shown.values()]
    rows = figure.subplots(max(len(shown), 1), squeeze=False, height_ratios=sizes or None)
    for (axes,), (title, heights) in zip(rows, shown.items()):
        names = list(heights)
        colours = [_colour(name) for name in names]
        drawn = axes.barh(names, list(heights.values()), color=colours)
        axes.bar_label(drawn, padding=3)
        axes.invert_yaxis()
        axes.set(title=title, xlabel=f"images a second{unheld_note(names, NOTE)}")
        axes.margins(x=0.12)
    return figure


def _colour(name: str) -> str:
    return "tab:blue" if name.startswith(OWN) else "tab:grey" if name.endswith("ceiling") else "tab:orange"
