"""Tables in Markdown, made from the index and the stored results. No number in a table is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from densezoo.data.layouts.imagenet_c import NAME as CORRUPTED
from densezoo.errors import ResultError
from densezoo.index.listing import shown
from densezoo.protocols import PROTOCOLS
from densezoo.results.corruptions import corruption_rows
from densezoo.results.weights import has_weights_of, legend, mark
from densezoo.types import EvalResult, ModelSpec, ReportedResult

_BY_PROTOCOL = "/by-protocol"  # after a dataset's name in a marker: published_by_protocol instead of dataset_table
_MATRIX = "/protocols"  # measured_by_protocol
_MARKER = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One line of a table: a model under a protocol, with a published figure, a measured one, or both.

    Args:
        spec: the model.
        protocol: the protocol's name, or the conditions of a result; None: not known.
        reported: the published figure.
        measured: the result.
    """

    spec: ModelSpec
    protocol: str | None
    reported: ReportedResult | None
    measured: EvalResult | None

    def cells(self) -> dict[str, str]:
        """{column: text}; absent facts are empty."""
        reported, measured = self.reported, self.measured
        return {
            "model": self.spec.name,
            "weights": f"[{self.spec.publisher}]({self.spec.code})",
            "parameters": f"{self.spec.num_params:,}",
            "FLOPs (counted as)": next((f"{n:,} ({name})" for name, n in self.spec.flops.items()), ""),
            "protocol": self._label(),
            "published top-1": _percent(reported.top1) if reported else "",
            "published top-5": _percent(reported.top5) if reported else "",
            "published by": _publisher(reported) if reported else "",
            "measured top-1": _measured(measured.top1, measured.interval95) + mark(measured) if measured else "",
            "measured top-5": _measured(measured.top5, measured.interval95_top5) if measured else "",
            "images": f"{measured.num_samples:,}" if measured else "",
            "date": measured.date[:10] if measured else "",
        }

    def _label(self) -> str:
        """The protocol, "not known", and the test-time augmentation of a published figure."""
        tta = self.reported.tta if self.reported else None
        return "+".join(filter(None, [self.protocol or "not known", tta]))


def dataset_table(dataset: str, specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """One dataset's table in Markdown: every published figure, beside what was measured with the same weights.

    A published ``cifar10+`` is CIFAR-10's test set, too: the plus stands for augmented training images.

    Args:
        dataset: its name.
        specs: the models.
        results: of any dataset.

    Raises:
        ResultError: nothing was published or measured.
    """
    rows = dataset_rows(dataset, specs, results)
    if not rows:
        raise ResultError(f"there is no published and no measured result for a table of {dataset!r}")
    return markdown([row.cells() for row in rows]) + legend(row.measured for row in rows)


def dataset_rows(dataset: str, specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> list[Row]:
    """The rows of one dataset, model by model; empty if nothing was published or measured.

    Args:
        dataset, specs, results: as for `dataset_table`.
    """
    measured = {(r.model, str(r.conditions)): r for r in results if r.dataset == dataset and r.subset is None}
    rows = []
    for spec in specs:
        reported = [r for r in spec.reported if r.dataset.rstrip("+") == dataset]
        own = {protocol: r for (model, protocol), r in measured.items() if _is_of(r, spec, model)}
        rows += [Row(spec, r.protocol, r, own.pop("+".join(filter(None, [r.protocol, r.tta])), None)) for r in reported]
        rows += [Row(spec, protocol, None, r) for protocol, r in own.items()]
    return rows


def corruption_table(specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """ImageNet-C's table in Markdown: a row for each model and protocol; "" if nothing was measured.

    Args:
        specs: the models.
        results: of any dataset.
    """
    by_model: dict[str, list[EvalResult]] = {}
    for result in results:
        by_model.setdefault(result.model, []).append(result)
    own = [r for spec in specs for r in by_model.get(spec.name, ()) if _is_of(r, spec, r.model)]
    rows = corruption_rows(own)
    return markdown(rows) + f"\n{_CORRUPTED_LEGEND}\n" + legend(own) if rows else ""


_CORRUPTED_LEGEND = (
    "Top-1 errors, percent, each the mean over five severities; empty where not all five were measured. mCE, the mean "
    "corruption error: the mean over 15 corruptions of the error in percent of AlexNet's (https://arxiv.org/abs/1903.12261)."
)


def published_by_protocol(dataset: str, specs: Mapping[str, ModelSpec]) -> str:
    """The published top-1 of the same weights under several protocols, in Markdown.

    A row is a training that has ports: its weights with all their conversions. Of several figures for one protocol the
    first in the index is shown.

    Args:
        dataset: its name.
        specs: all models of the index.
    """
    trainings: dict[str, dict[str, float]] = {}
    for spec in specs.values():
        figures = trainings.setdefault(_origin(spec, specs), {})
        for result in spec.reported:
            if result.dataset == dataset and result.protocol and result.top1 is not None and result.tta is None:
                figures.setdefault(result.protocol, result.top1)
    ported = {_origin(spec, specs) for spec in specs.values() if spec.port_of is not None}
    rows = {name: figures for name, figures in sorted(trainings.items()) if name in ported}
    protocols = [name for name in PROTOCOLS if any(name in figures for figures in rows.values())]
    cells = [{"weights": n, **{p: _percent(figures.get(p)) for p in protocols}} for n, figures in rows.items()]
    return markdown(cells)


def measured_by_protocol(dataset: str, specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """The same weights measured under several protocols, top-1 with its interval, in Markdown.

    A row is a model, with the backend, precision and views if they are unusual. A model that was measured under a
    single protocol is left out.

    Args:
        dataset: its name.
        specs: the models.
        results: of any dataset.

    Raises:
        ResultError: no model was measured under two protocols.
    """
    by_row: dict[str, dict[str, EvalResult]] = {}
    stored = [r for r in results if r.dataset == dataset and r.subset is None]
    for spec in specs:
        for result in (r for r in stored if _is_of(r, spec, r.model)):
            row = str(replace(result.conditions, protocol=spec.name))
            by_row.setdefault(row, {})[result.protocol] = result
    rows = {name: own for name, own in by_row.items() if len(own) > 1}
    if not rows:
        raise ResultError(f"there are no weights measured under two protocols for a table of {dataset + _MATRIX!r}")
    protocols = [name for name in PROTOCOLS if any(name in own for own in rows.values())]
    shown = {
        name: {p: _measured(r.top1, r.interval95) + mark(r) if (r := own.get(p)) else "" for p in protocols}
        for name, own in rows.items()
    }
    cells = [{"weights": name, **by_protocol} for name, by_protocol in shown.items()]
    return markdown(cells) + legend(result for own in rows.values() for result in own.values())


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table.

    Args:
        rows: {column: text} of each row.
    """
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)) + "\n"


def _origin(spec: ModelSpec, specs: Mapping[str, ModelSpec]) -> str:
    """The name of the training that a port's weights come from."""
    while spec.port_of is not None:
        spec = specs[spec.port_of]
    return spec.name


def _is_of(result: EvalResult, spec: ModelSpec, model: str) -> bool:
    """Whether a result belongs to a model by name and by the weights that were measured."""
    return model == spec.name and has_weights_of(result, spec)


def fill_tables(text: str, path: str, specs: Mapping[str, ModelSpec], results: Iterable[EvalResult]) -> str:
    """A document with a new table between every ``<!-- table: NAME -->`` and ``<!-- end of table -->``.

    NAME is a dataset (of ``imagenet-c`` the errors by corruption), ``DATASET/by-protocol`` (published) or
    ``DATASET/protocols`` (measured).

    Args:
        text: of the document.
        path: the document, for messages.
        specs: all models of the index.
        results: all stored results.

    Raises:
        ResultError: a marker without its end, or of a dataset without results.
    """
    results = list(results)
    if len(_MARKER.findall(text)) != text.count("<!-- table: "):
        raise ResultError(f"{path}: a '<!-- table: ... -->' without its '<!-- end of table -->'")

    def table(name: str) -> str:
        if name.endswith(_BY_PROTOCOL):
            return published_by_protocol(name.removesuffix(_BY_PROTOCOL), specs)
        if name.endswith(_MATRIX):
            return measured_by_protocol(name.removesuffix(_MATRIX), specs.values(), results)
        if name == CORRUPTED and (corrupted := corruption_table(specs.values(), results)):
            return corrupted
        return dataset_table(name, specs.values(), results)

    return _MARKER.sub(lambda match: match[1] + table(match[2]) + match[3], text)


def _publisher(reported: ReportedResult) -> str:
    """The publisher, with "(+)" if the weights were trained with augmentation, as the plus of ``cifar10+`` says."""
    return reported.published_by + (" (+)" if reported.dataset.endswith("+") else "")


def _percent(value: float | None) -> str:
    return "" if value is None else shown(value)


def _measured(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"
