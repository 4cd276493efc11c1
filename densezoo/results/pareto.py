"""Accuracy against what it costs: parameters, multiply-adds, measured images a second; and who is the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from densezoo.errors import QueryError
from densezoo.index.flops import flops_under
from densezoo.index.select import field
from densezoo.results.figures import Axes, Theme, drawing, write_figure
from densezoo.results.site.speed import Speed, speeds_of
from densezoo.types import Accuracy

PUBLISHED, MEASURED = "published", "measured here"


@dataclass(frozen=True)
class Point:
    """One model in the diagram.

    Args:
        name: of the model.
        top1: percent.
        is_measured: whether it was measured here; otherwise it is what was published.
        costs: {a key of COSTS: the value}, of those that are known.
    """

    name: str
    top1: float
    is_measured: bool
    costs: Mapping[str, float]


@dataclass(frozen=True)
class Cost:
    """What an accuracy is had for.

    Args:
        label: of the axis.
        more_is_better: whether a larger value is the better one, which holds of speed.
    """

    label: str
    more_is_better: bool = False


COSTS = {
    "params": Cost("parameters, millions"),
    "flops": Cost("multiply-adds of an image at the protocol's size, billions"),
    "speed": Cost("images a second", more_is_better=True),
}


def points(accuracies: Iterable[Accuracy], measured_speeds: Sequence[Speed]) -> list[Point]:
    """The models that have a top-1, published or measured; of one that has both, the measured one.

    Args:
        accuracies: one a model.
        measured_speeds: that may be compared with each other.
    """
    flops, shown = field("flops").value, []
    for each in accuracies:
        top1 = each.measured.top1 if each.measured else each.reported.top1 if each.reported else None
        if top1 is None:
            continue
        costs = {"params": each.spec.num_params / 1e6}
        if isinstance(count := flops(each), (int, float)):
            costs["flops"] = count / 1e9
        side, _ = flops_under(each.spec, each.protocol)
        if own := speeds_of(each.spec, side, measured_speeds):
            costs["speed"] = own[0].rate.median
        shown.append(Point(each.spec.name, float(top1), each.measured is not None, costs))
    return shown


def front(shown: Iterable[Point], cost: str) -> list[Point]:
    """The models than which none is both cheaper and more accurate, the cheapest first.

    Args:
        shown: models, of which those without that cost are left out.
        cost: a key of COSTS.
    """
    sign = -1 if COSTS[cost].more_is_better else 1
    best: list[Point] = []
    for point in sorted((p for p in shown if cost in p.costs), key=lambda p: (sign * p.costs[cost], -p.top1, p.name)):
        if not best or point.top1 > best[-1].top1:
            best.append(point)
    return best


def draw_pareto(
    path: Path, shown: Sequence[Point], costs: Sequence[str], title: str, conditions: str = "", theme: str = "light"
) -> None:
    """Draw top-1 over each cost, the best models joined and named.

    Args:
        path: the file to write; its extension chooses the format.
        shown: of `points`.
        costs: keys of COSTS, a diagram each below the other; one that no model has is left out.
        title: of the diagram.
        conditions: of the speeds.
        theme: of `densezoo.results.figures.THEMES`.

    Raises:
        MissingDependencyError: no matplotlib.
        ResultError: the file can't be written.
        ConfigError: not the extension of a plot.
        QueryError: no model has any of the costs.
    """
    known = [cost for cost in costs if any(cost in point.costs for point in shown)]
    if not known:
        raise QueryError(f"{title}: no model has a top-1 and one of {', '.join(costs)}; choose other models")
    with drawing(0.4 + 3.5 * len(known), theme) as (figure, colours):
        for axes, cost in zip(figure.subplots(len(known), squeeze=False)[:, 0], known):
            _draw_one(axes, shown, cost, colours)
            axes.set(xlabel=COSTS[cost].label + (f" ({conditions})" if cost == "speed" and conditions else ""))
        figure.suptitle(title)
        figure.draw_without_rendering()  # places are known from here on
        for axes, cost in zip(figure.axes, known):
            _name_points(axes, front(shown, cost), shown, cost, colours)
        write_figure(path, figure)


def _draw_one(axes: Axes, shown: Sequence[Point], cost: str, colours: Theme) -> None:
    """Dots of all models, filled where the accuracy was measured; a line through the best."""
    best = front(shown, cost)
    axes.plot(
        [point.costs[cost] for point in best], [point.top1 for point in best], color=colours.series[1], label="the best"
    )
    for is_measured, label in ((False, PUBLISHED), (True, MEASURED)):
        chosen = [point for point in shown if cost in point.costs and point.is_measured == is_measured]
        if chosen:
            face = colours.series[0] if is_measured else "none"
            x, y = [point.costs[cost] for point in chosen], [point.top1 for point in chosen]
            axes.scatter(x, y, 26, facecolors=face, edgecolors=colours.series[0], label=label, zorder=5)
    axes.set_xscale("log")
    axes.margins(0.09, 0.16)
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(ylabel="top-1, %")
    axes.grid()
    axes.legend(loc="best")


#: Where a name may stand beside its dot, the best place first: (right, up) in points, and the side that is at the dot.
_PLACES = (
    ((0, 7), "center"), ((-6, 6), "right"), ((6, 6), "left"), ((0, -14), "center"), ((8, -4), "left"),
    ((-8, -4), "right"), ((0, 18), "center"), ((0, -25), "center"), ((-6, 18), "right"), ((6, 24), "left"),
)  # fmt: skip


def _name_points(axes: Axes, named: Sequence[Point], shown: Sequence[Point], cost: str, colours: Theme) -> None:
    """Write the names of models where they cover no dot and no other name; one that finds no room is left out.

    Args:
        axes: with the dots drawn.
        named: models, the most accurate of which is named first.
        shown: all models.
        cost: a key of COSTS.
        colours: of the diagram.
    """
    from matplotlib.text import Text

    line = {"arrowstyle": "-", "color": colours.faint, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3}
    ground = {"facecolor": colours.background, "edgecolor": "none", "pad": 0.5, "alpha": 0.75}
    taken = [axes.get_legend().get_window_extent()]
    dots = [axes.transData.transform((point.costs[cost], point.top1)) for point in shown if cost in point.costs]
    for point in sorted(named, key=lambda point: -point.top1):
        for offset, side in _PLACES:
            at = (point.costs[cost], point.top1)
            text = axes.annotate(
                point.name, at, offset, textcoords="offset points", fontsize=7.5, ha=side, arrowprops=line, bbox=ground
            )
            text.get_window_extent()  # puts it into its place
            box = Text.get_window_extent(text)  # without the line to the dot
            inside = all(axes.bbox.contains(*corner) for corner in box.corners())
            if inside and not any(map(box.overlaps, taken)) and not any(box.padded(4).contains(*dot) for dot in dots):
                taken.append(box)
                break
            text.remove()
