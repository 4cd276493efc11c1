"""One model as a person reads it in a terminal: what it is, its files, its accuracies, how to use it."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from densezoo.families import family_of
from densezoo.index.flops import flops_under
from densezoo.index.listing import PIPE_WIDTH
from densezoo.protocols import get_protocol
from densezoo.protocols.words import resizing
from densezoo.results.cells import LABEL_TABLE
from densezoo.results.provenance import measured_on
from densezoo.results.weights import MARKS, mark
from densezoo.types import Accuracy, ModelSpec, Protocol, ReportedResult, WeightSource

_USE = """\
densezoo predict {name} image.png
densezoo test {name} --data-root DATA{table}

import densezoo
print(densezoo.Classifier("{name}")("image.png").answers)
model = densezoo.create_model("{name}", pretrained=True).eval()
inputs = densezoo.get_protocol("{protocol}")("image.png")[None]  # float32 (1, C, H, W)"""
_NAMES = """
names = densezoo.class_names("{name}")  # of the {classes:,} outputs"""
_NO_WEIGHTS = """\
No file of it can be had and read; create_model gives it random weights.
densezoo train {config} --data-root DATA

import densezoo
model = densezoo.create_model("{name}")  # fresh weights"""


def describe(
    spec: ModelSpec, accuracies: Sequence[Accuracy], width: int | None = None, classes: Sequence[str] = ()
) -> str:
    """All that is known of a model.

    Args:
        spec: the model.
        accuracies: published and measured ones.
        classes: what its outputs stand for; empty: nobody says.
        width: columns to fold at; None: no line is folded.
    """
    sections = {
        "Architecture": _fold(architecture(spec, classes), width, hanging=2),
        "Files": "\n\n".join(_file(source, width) for source in spec.weights) or "None is published.",
        "Accuracy": _accuracies(accuracies, width),
        "How it was trained": _fold(_recipe(spec.recipe), width, hanging=2),
        "How to use it": usage(spec, classes),
    }
    text = [spec.name, _facts(spec, width)]
    text += [f"{title}\n{textwrap.indent(body, '  ')}" for title, body in sections.items() if body]
    return "\n\n".join(text)


def usage(spec: ModelSpec, classes: Sequence[str] = ()) -> str:
    """Commands and Python that use a model, or that train it where no file of it can be had.

    Args:
        spec: the model.
        classes: what its outputs stand for; empty: nobody says.
    """
    words = _USE + (_NAMES if classes else "") if spec.usable_weights else _NO_WEIGHTS
    return words.format(
        name=spec.name,
        config=spec.config,
        protocol=spec.protocol,
        classes=spec.architecture.num_classes,
        table=LABEL_TABLE * spec.multi_label,
    )


def _facts(spec: ModelSpec, width: int | None) -> str:
    """The lines under the name: {what: value}."""
    named_by = {alias: f" ({publisher})" for alias, publisher in spec.named_by.items()}
    facts = {
        "also called": ", ".join(f"{alias}{named_by.get(alias, '')}" for alias in spec.aliases),
        "publisher": ", ".join(filter(None, [spec.publisher, spec.code])),
        "weights of": spec.port_of,
        "licence": spec.license,
        "paper": spec.paper,
        "protocol": f"{spec.protocol}: {steps(get_protocol(spec.protocol))}",
        "config": spec.config,
        "index": ", ".join(spec.metafiles),
        "not evaluable": spec.not_evaluable,
    }
    lines = [f"{name:13}  {value}" for name, value in facts.items() if value]
    return textwrap.indent(_fold("\n".join(lines), width, hanging=15), "  ")


def steps(protocol: Protocol) -> str:
    """What a protocol does to an image, in a few words.

    Args:
        protocol: the named preprocessing.
    """
    if protocol.resize is None:
        return (
            f"images of {protocol.image_size} x {protocol.image_size} px as they are"
            if protocol.image_size
            else "as it is"
        )
    crop = f", the central {protocol.crop}" if protocol.crop else ""
    return f"{resizing(protocol)}{crop}"


def architecture(spec: ModelSpec, classes: Sequence[str] = ()) -> str:
    """How a model's network is built, its size, its classes and its FLOPs, in lines.

    Args:
        spec: the model.
        classes: what its outputs stand for; empty: nobody says.
    """
    summary = family_of(spec.architecture).summary(spec.architecture).splitlines()
    lines = [line for line in summary if line and not line.startswith(">")]  # without the card's quotation
    lines.append(f"{spec.num_params:,} parameters, {spec.architecture.num_classes:,} classes{_some(classes)}.")
    for protocol in dict.fromkeys([spec.protocol, *(r.protocol for r in spec.reported)]):
        side, counts = flops_under(spec, protocol)
        stated = ", ".join(f"{count:,} ({convention})" for convention, count in counts.items())
        if stated and (line := f"FLOPs at {side} px: {stated}.") not in lines:
            lines.append(line)
    return "\n".join(lines)


def _some(classes: Sequence[str]) -> str:
    """The first names of classes and the last one, after a colon."""
    if len(classes) <= 10:
        return ": " + ", ".join(classes) if classes else ""
    return f": {', '.join(classes[:3])}, ... {classes[-1]}"


def _file(source: WeightSource, width: int | None) -> str:
    """A file's lines: where it is, and what is known and checked of it."""
    size = None if source.file_size is None else f"{source.file_size:,} bytes"
    facts = [f"{source.framework} {source.format}", size, source.license]
    lines = [
        ", ".join(filter(None, facts)),
        f"checked against: {checks(source)}",
        f"withdrawn: {source.withdrawn}" if source.withdrawn else "",
        f"not loadable: {source.not_loadable}" if source.not_loadable else "",
        f"from {source.converted_from}" if source.converted_from else "",
        f"note: {source.note}" if source.note else "",
    ]
    details = _fold("\n".join(filter(None, lines)), width, hanging=2)
    return "\n".join([*filter(None, [source.url, source.path, *source.mirrors]), textwrap.indent(details, "  ")])


def checks(source: WeightSource) -> str:
    """What a fetched file is held against, with the digits of its hashes.

    Args:
        source: the file.
    """
    stated = ["its size"] if source.file_size is not None else []
    stated += map(str, source.stated_hashes)
    if not source.is_hashed and source.path is None:
        stated.append("the sha256 that it had at its first use, as no hash of it is published")
    return ", ".join(stated)


def _accuracies(accuracies: Sequence[Accuracy], width: int | None) -> str:
    """A table with a line an accuracy, and below it the sources and notes that it refers to by number."""
    references: list[str] = []
    rows = [_row(accuracy, references) for accuracy in accuracies]
    if not rows:
        return "Nothing is published, and nothing was measured."
    measured = [accuracy.measured for accuracy in accuracies if accuracy.measured]
    known_by = {result.weights_known_by for result in measured}
    below = [f"{number}  {reference}" for number, reference in enumerate(references, 1)]
    below += [f"measured on {measured_on(measured)}"] if measured else []
    below += [f"{sign} {meaning}" for known, (sign, meaning) in MARKS.items() if known in known_by]
    return "\n".join([*_table(rows, width), "", *(_fold(line, width, hanging=3) for line in below)]).rstrip()


def _table(rows: Sequence[Mapping[str, str]], width: int | None) -> list[str]:
    """The lines of a table; columns that are empty throughout are left out."""
    table = Table(box=None, pad_edge=False, header_style="")
    shown = [name for name in rows[0] if any(row[name] for row in rows)]
    for name in shown:
        number = name in _NUMBERS
        table.add_column(name, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in rows:
        table.add_row(*(row[name] for name in shown))
    text = io.StringIO()
    Console(file=text, width=PIPE_WIDTH if width is None else max(width - 2, 60), color_system=None).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


_NUMBERS = ("top-1", "top-5", "measured", "top-5 ", "images", "GFLOPs")


def _row(accuracy: Accuracy, references: list[str]) -> dict[str, str]:
    """{column: text} of one accuracy; what it refers to is added to the references."""
    reported, measured = accuracy.reported, accuracy.measured
    flops = flops_under(accuracy.spec, accuracy.protocol)[1].get("torchvision")
    return {
        "dataset": reported.dataset if reported else str(accuracy.dataset),
        "protocol": accuracy.label,
        "top-1": "" if reported is None or reported.top1 is None else str(reported.top1),
        "top-5": "" if reported is None or reported.top5 is None else str(reported.top5),
        "published by": "" if reported is None else reported.published_by,
        "see": "" if reported is None else _numbers(reported, references),
        "measured": "" if measured is None else f"{measured.top1:.2f}{mark(measured)}",
        "top-5 ": "" if measured is None else f"{measured.top5:.2f}",
        "images": "" if measured is None else f"{measured.num_samples:,}",
        "on": "" if measured is None else measured.date[:10],
        "GFLOPs": "" if flops is None else f"{flops / 1e9:.2f}",
    }


def _numbers(reported: ReportedResult, references: list[str]) -> str:
    """The numbers of where a figure stands and of what is known of it beside that: "1, 3"."""
    unmeasurable = reported.not_evaluable and f"can't be measured here: {reported.not_evaluable}"
    own = list(filter(None, [reported.where, reported.note, unmeasurable]))
    references += [reference for reference in own if reference not in references]
    return ", ".join(str(references.index(reference) + 1) for reference in own)


def _recipe(recipe: Mapping[str, object]) -> str:
    values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in recipe.items()}
    return "\n".join(f"{name}: {value}" for name, value in values.items())


def _fold(text: str, width: int | None, hanging: int = 0) -> str:
    """The text with long lines folded between words, their continuations indented.

    Args:
        width: columns, of which sections take four for their indents.
        hanging: columns of that indent.
    """
    if width is None:
        return text
    folded = (
        textwrap.wrap(
            line,
            max(width - 4, 40),
            subsequent_indent=" " * hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )
    return "\n".join("\n".join(lines) for lines in folded)
