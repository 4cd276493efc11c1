"""The README's tables, made from the index and the stored results. No number in a table is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from densezoo.errors import ResultError
from densezoo.types import EvalResult, ModelSpec, ReportedResult

_MARKER = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One line of a table: a model under a protocol, with a published figure, a measured one, or both."""

    spec: ModelSpec
    protocol: str
    reported: ReportedResult | None
    measured: EvalResult | None

    def cells(self) -> dict[str, str]:
        """{column: text}; what isn't there is empty."""
        reported, measured = self.reported, self.measured
        return {
            "model": self.spec.name,
            "weights": f"[{self.spec.publisher}]({self.spec.code})",
            "parameters": f"{self.spec.num_params:,}",
            "FLOPs (counted as)": "<br>".join(f"{count:,} ({name})" for name, count in self.spec.flops.items()),
            "protocol": self.protocol,
            "published top-1": _percent(reported.top1) if reported else "",
            "published top-5": _percent(reported.top5) if reported else "",
            "published by": _publisher(reported) if reported else "",
            "measured top-1": _measured(measured.top1, measured.interval95) if measured else "",
            "measured top-5": _measured(measured.top5, measured.interval95_top5) if measured else "",
            "images": f"{measured.num_samples:,}" if measured else "",
            "date": measured.date[:10] if measured else "",
        }


def dataset_table(dataset: str, specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """One dataset's table in Markdown: every published figure, beside what was measured with the same weights.

    A published ``cifar10+`` is CIFAR-10's test set too: the plus names the training data.
    """
    measured = {(r.model, r.protocol): r for r in results if r.dataset == dataset}
    rows = []
    for spec in specs:
        reported = [r for r in spec.reported if r.dataset.rstrip("+") == dataset]
        own = {protocol: r for (model, protocol), r in measured.items() if _is_of(r, spec, model)}
        rows += [Row(spec, r.protocol, r, own.pop(r.protocol, None)) for r in reported]
        rows += [Row(spec, protocol, None, r) for protocol, r in own.items()]
    if not rows:
        raise ResultError(f"there is no published and no measured result for a table of {dataset!r}")
    frame = pd.DataFrame([row.cells() for row in rows])
    return str(frame.to_markdown(index=False, disable_numparse=True)) + "\n"


def _is_of(result: EvalResult, spec: ModelSpec, model: str) -> bool:
    """Whether a result belongs to a model by name and by the weights that were measured."""
    return model == spec.name and any(source.is_file(result.weights_sha256) for source in spec.weights)


def fill_tables(text: str, where: str, specs: Mapping[str, ModelSpec], results: Iterable[EvalResult]) -> str:
    """A document with the table between every ``<!-- table: DATASET -->`` and ``<!-- end of table -->`` made anew.

    Args:
        where: the document, for messages.

    Raises:
        ResultError: a marker without its end, or of a dataset without results.
    """
    results = list(results)
    if len(_MARKER.findall(text)) != text.count("<!-- table: "):
        raise ResultError(f"{where}: a '<!-- table: ... -->' without its '<!-- end of table -->'")
    return _MARKER.sub(lambda m: m[1] + dataset_table(m[2], specs.values(), results) + m[3], text)


def _publisher(reported: ReportedResult) -> str:
    """Who, and "(+)" where the weights were trained with augmentation: ``cifar10+`` is CIFAR-10's test set too."""
    return reported.published_by + (" (+)" if reported.dataset.endswith("+") else "")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _measured(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"
