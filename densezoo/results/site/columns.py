"""The columns of the site's tables: what stands in a cell, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from markupsafe import Markup

from densezoo.families import family_of
from densezoo.index.flops import flops_under
from densezoo.index.listing import shown
from densezoo.results.cells import percent
from densezoo.results.site.speed import speeds_of
from densezoo.results.site.zoo import Zoo, title
from densezoo.results.weights import mark
from densezoo.types import Accuracy, ModelSpec

Screens: TypeAlias = Literal["any", "wide", "widest"]


@dataclass(frozen=True)
class Column:
    """A column of a table with a row an accuracy.

    Args:
        name: by which scripts know it.
        heading: that a person reads.
        text: what stands in a cell, and is sorted by; an empty one comes last in either order.
        is_number: aligned to the right, the highest first when it is first sorted by.
        screens: on which it is shown: "any", "wide" ones (no phones), "widest" ones alone.
        about: what the heading means, where it doesn't say all.
        is_long: its words may be broken anywhere.
    """

    name: str
    heading: str
    text: Callable[[Accuracy], str]
    is_number: bool = False
    screens: Screens = "wide"
    about: str = ""
    is_long: bool = False

    @property
    def attributes(self) -> Markup:
        """The classes of its cells, as an attribute of an element; "" without any."""
        classes = ["number"] * self.is_number + [self.screens] * (self.screens != "any") + ["long"] * self.is_long
        return Markup(' class="{}"').format(" ".join(classes)) if classes else Markup()


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        accuracy: that it shows.
        words: by which it is found, beside the text of its cells; in lower case.
        further: {name: value} that it is filtered by and that no column shows.
    """

    accuracy: Accuracy
    words: str
    further: Mapping[str, str]


def choices(rows: Sequence[Row], columns: Sequence[Column], names: Sequence[str]) -> dict[str, list[str]]:
    """{filter: its values}: the texts of a column's cells, or values that rows have further; none is empty.

    Args:
        rows: of a table.
        columns: of the table.
        names: of columns, or of what rows have further.
    """
    texts = {column.name: column.text for column in columns}

    def value(row: Row, name: str) -> str:
        return texts[name](row.accuracy) if name in texts else row.further.get(name, "")

    values_of = {name: sorted({value(row, name) for row in rows} - {""}) for name in names}
    return {name: values for name, values in values_of.items() if values}


def availability(spec: ModelSpec) -> str:
    """What can be done with a model's published files, in a word or two."""
    if spec.usable_weights:
        return "loadable"
    if not spec.weights:
        return "none published"
    return "withdrawn" if all(source.withdrawn for source in spec.weights) else "can't be read"


def family_title(spec: ModelSpec) -> str:
    """The family that a model's network belongs to."""
    return family_of(spec.architecture).title


def giga_flops(accuracy: Accuracy) -> float | None:
    """Multiply-adds in units of 10^9 at the image size of an accuracy's protocol; None where nobody states FLOPs."""
    flops = flops_under(accuracy.spec, accuracy.protocol)[1].get("torchvision")
    return None if flops is None else flops / 1e9


def images_per_second(zoo: Zoo, accuracy: Accuracy) -> float | None:
    """What was measured on an idle machine at the image size of an accuracy's protocol; None: nothing was."""
    side = flops_under(accuracy.spec, accuracy.protocol)[0]
    speeds = speeds_of(accuracy.spec, side, zoo.comparable_speeds) if side is not None else []
    return speeds[0].rate.median if speeds else None


def _figure(name: str, heading: str, value: Callable[[Accuracy], float | None], screens: Screens = "wide") -> Column:
    """A published percentage with its digits."""
    return Column(name, heading, lambda accuracy: percent(value(accuracy)), True, screens)


def _words(name: str, heading: str, value: Callable[[Accuracy], str | None], screens: Screens = "wide") -> Column:
    return Column(name, heading, lambda accuracy: value(accuracy) or "", False, screens)


def _number(name: str, heading: str, value: Callable[[Accuracy], float | None], digits: int, about: str) -> Column:
    def text(accuracy: Accuracy) -> str:
        number = value(accuracy)
        return "" if number is None else f"{number:,.{digits}f}"

    return Column(name, heading, text, True, "wide", about)


def _published_top1(accuracy: Accuracy) -> float | None:
    return accuracy.reported.top1 if accuracy.reported else None


def _published_top5(accuracy: Accuracy) -> float | None:
    return accuracy.reported.top5 if accuracy.reported else None


def _measured(accuracy: Accuracy) -> str:
    """Measured top-1 with the mark of how it is known whose the weights are."""
    return f"{accuracy.measured.top1:.2f}{mark(accuracy.measured)}" if accuracy.measured else ""


def _interval(accuracy: Accuracy) -> str:
    return "{:.2f} to {:.2f}".format(*accuracy.measured.interval95) if accuracy.measured else ""


_NAME = Column("model", "Model", lambda accuracy: accuracy.spec.name, False, "any")
_DATASET = _words("dataset", "Dataset", lambda accuracy: title(accuracy.dataset) if accuracy.dataset else None)
_PROTOCOL = _words("protocol", "Protocol", lambda a: a.label if a.dataset else a.protocol)
_TOP1 = _figure("top1", "Top-1", _published_top1, "any")
_TOP5 = _figure("top5", "Top-5", _published_top5)
_MEASURED = Column("measured", "Measured", _measured, True, "wide", "top-1, by densezoo")


def model_columns(zoo: Zoo) -> Sequence[Column]:
    """The columns of the table of models; one in which no model has anything is left out.

    Args:
        zoo: what is shown.
    """
    columns = (
        _NAME,
        _DATASET,
        _PROTOCOL,
        _TOP1,
        _TOP5,
        _MEASURED,
        Column(
            "params",
            "Params, M",
            lambda accuracy: f"{accuracy.spec.num_params / 1e6:.2f}",
            True,
            "any",
            "trainable parameters, millions",
        ),
        _number("flops", "GFLOPs", giga_flops, 2, "multiply-adds of one image at the protocol's size, 10^9"),
        _number("speed", "Images/s", lambda accuracy: images_per_second(zoo, accuracy), 1, _conditions(zoo)),
        _words("publisher", "Publisher", lambda accuracy: accuracy.spec.publisher),
        _words("license", "Licence", lambda accuracy: accuracy.spec.license, "widest"),
        _words("weights", "Weights", lambda accuracy: availability(accuracy.spec)),
    )
    rows = list(zoo.headlines.values())
    return [column for column in columns if any(column.text(row) for row in rows)]


def _conditions(zoo: Zoo) -> str:
    speeds = zoo.comparable_speeds
    return f"densezoo's fastest backend in float32 on {speeds[0].conditions}" if speeds else ""


def accuracy_columns(zoo: Zoo) -> Sequence[Column]:
    """The columns of the table of accuracies: published beside measured.

    Args:
        zoo: what is shown.
    """
    verdicts = {id(r): zoo.agreement(r).briefly() for r in zoo.results}
    return (
        _NAME,
        _DATASET,
        _PROTOCOL,
        replace(_TOP1, heading="Published"),
        replace(_MEASURED, screens="any"),
        Column("interval", "95 % interval", _interval, True),
        replace(_words("verdict", "Verdict", lambda a: verdicts[id(a.measured)] if a.measured else None), is_long=True),
        replace(
            _words("publisher", "Published by", lambda a: a.reported.published_by if a.reported else None), is_long=True
        ),
        replace(_TOP5, screens="widest"),
        Column("images", "Images", lambda a: f"{a.measured.num_samples:,}" if a.measured else "", True, "widest"),
    )


def headline_text(accuracy: Accuracy) -> str:
    """Its published top-1, or else the measured one; "" without either."""
    published = _published_top1(accuracy)
    return shown(published) if published is not None else _measured(accuracy)
