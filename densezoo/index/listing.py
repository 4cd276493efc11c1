"""Models of the index as a table for a terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from densezoo.index.select import FIELDS, Value, field
from densezoo.types import Accuracy, Figure

PIPE_WIDTH = 100_000  # characters: where no terminal sets the width, no line is folded
DEFAULT_COLUMNS = ("name", "dataset", "protocol", "top1", "top5", "params", "flops")
#: Which of them are left out first where a terminal is too narrow for all.
DROPPABLE = ("top5", "params", "flops", "dataset")
_SCALED = {"params": (1e6, "M"), "flops": (1e9, "G")}  # shown so in the terminal, whole in JSON and CSV


def columns_for(asked: Iterable[str]) -> list[str]:
    """The usual columns, and the fields that somebody asked by."""
    return list(dict.fromkeys([*DEFAULT_COLUMNS, *asked]))


def print_table(
    accuracies: Iterable[Accuracy], columns: Sequence[str] = DEFAULT_COLUMNS, droppable: Sequence[str] = ()
) -> None:
    """Print a line for each model; what a model lacks is empty. Only a terminal's width folds lines.

    Args:
        accuracies: the models, each with one of its accuracies.
        columns: names of fields.
        droppable: those that are left out, first to last, where the terminal is too narrow; a line below says so.

    Raises:
        UnknownNameError: a column that is no field; names the nearest.
    """
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    accuracies = list(accuracies)
    dropped = _dropped(accuracies, columns, droppable, console.width)
    columns = [name for name in columns if name not in dropped]
    rows = list(_rows(accuracies, columns))
    for i, name in enumerate(columns):
        number = any(isinstance(row[i], (int, float)) for row in rows)
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(name, value) for name, value in zip(columns, row)))
    console.print(table)
    if dropped:
        console.print(
            f"without {', '.join(dropped)}, for a terminal of {console.width} columns: --columns", style="dim"
        )


def _dropped(accuracies: Sequence[Accuracy], columns: Sequence[str], droppable: Sequence[str], width: int) -> list[str]:
    """The columns that have to be left out of a table so that no line is folded, or all that may be.

    Args:
        accuracies: the rows.
        columns: names of fields.
        droppable: those that may be left out, the first one first.
        width: of the terminal, in columns.
    """
    cells = zip(
        columns, zip(*([_text(name, value) for name, value in zip(columns, row)] for row in _rows(accuracies, columns)))
    )
    widths = {name: max(map(len, (name, *texts))) + 1 for name, texts in cells}
    dropped: list[str] = []
    for name in droppable:
        if sum(widths[left] for left in columns if left not in dropped) - 1 <= width:
            break
        dropped += [name] if name in columns else []
    return dropped


def as_json(accuracies: Iterable[Accuracy], columns: Sequence[str] = tuple(FIELDS)) -> str:
    """A JSON list of objects, with null for what a model lacks.

    Args:
        accuracies: the models, each with one of its accuracies.
        columns: names of fields.
    """
    return json.dumps([dict(zip(columns, row)) for row in _rows(accuracies, columns)], indent=2)


def as_csv(accuracies: Iterable[Accuracy], columns: Sequence[str] = tuple(FIELDS)) -> str:
    """CSV of a header and a line for each model, with nothing for what it lacks.

    Args:
        accuracies: the models, each with one of its accuracies.
        columns: names of fields.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(_rows(accuracies, columns))
    return text.getvalue()


def shown(figure: float, decimals: int = 4) -> str:
    """A published number as it was written, rounded only where more digits follow the point: 75.0, 68.5417."""
    return str(figure) if len(str(figure).partition(".")[2]) <= decimals else f"{figure:.{decimals}f}"


def _rows(accuracies: Iterable[Accuracy], columns: Sequence[str]) -> Iterable[list[Value]]:
    getters = [field(name).value for name in columns]
    return ([value(accuracy) for value in getters] for accuracy in accuracies)


def _text(name: str, value: Value) -> str:
    if name in _SCALED and isinstance(value, (int, float)):
        divisor, unit = _SCALED[name]
        scaled = value / divisor
        return f"{scaled:.2f} {unit}" if scaled >= 0.01 else f"{scaled:.1g} {unit}"
    if isinstance(value, float):
        return shown(value, decimals=3) if isinstance(value, Figure) else f"{value:.2f}"
    return "" if value is None else str(value)
