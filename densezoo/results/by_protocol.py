"""The accuracies of the same weights under several protocols: published, of a training and its ports; measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeAlias

from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.words import resampling
from densezoo.results.cells import percent
from densezoo.results.markdown import markdown
from densezoo.results.tables import origin
from densezoo.results.weights import has_weights_of, legend, mark
from densezoo.types import EvalResult, ModelSpec, ReportedResult

#: {architecture: {protocol: the figure of its training, or of a port of that}}.
Trainings: TypeAlias = Mapping[str, Mapping[str, ReportedResult]]


def ported_trainings(dataset: str, specs: Mapping[str, ModelSpec], tag: str | None = None) -> dict[str, Trainings]:
    """{tag: its trainings with figures under several protocols}, of those trainings of which there are ports.

    Where one protocol has several figures, the first in the index stands.

    Args:
        dataset: whose figures are taken.
        specs: the index.
        tag: only trainings of that name after the dot; None: all.
    """
    trainings: dict[str, dict[str, ReportedResult]] = {}
    for spec in specs.values():
        figures = trainings.setdefault(origin(spec, specs), {})
        for result in spec.reported:
            if result.dataset == dataset and result.protocol and result.top1 is not None and result.tta is None:
                figures.setdefault(result.protocol, result)
    ported = {origin(spec, specs) for spec in specs.values() if spec.port_of is not None}
    by_tag: dict[str, dict[str, Mapping[str, ReportedResult]]] = {}
    for name in sorted(ported):
        if len(trainings[name]) > 1 and tag in (None, specs[name].tag):
            by_tag.setdefault(specs[name].tag, {})[specs[name].arch] = trainings[name]
    return dict(by_tag)


def ranked_protocols(trainings: Trainings) -> list[str]:
    """The protocols of figures: first the one whose figures are the highest above their trainings' means, on average.

    Args:
        trainings: of `ported_trainings`.
    """
    figures = {
        name: {protocol: result.top1 for protocol, result in own.items() if result.top1 is not None}
        for name, own in trainings.items()
    }
    means = {name: fmean(own.values()) for name, own in figures.items()}

    def rank(protocol: str) -> tuple[float, str]:
        return -fmean(own[protocol] - means[name] for name, own in figures.items() if protocol in own), protocol

    return sorted({protocol for own in trainings.values() for protocol in own}, key=rank)


def published_by_protocol(dataset: str, specs: Mapping[str, ModelSpec], tag: str | None = None) -> str:
    """The top-1 of the same weights under every protocol that somebody published one for; "" where there is none.

    A column is a training of which there are ports: the weights and all their conversions.

    Args:
        dataset: whose figures are taken.
        specs: the index.
        tag: only trainings of that name after the dot; None: a table for each.
    """
    by_tag = ported_trainings(dataset, specs, tag)
    heading = "" if tag is not None else "`{}`:\n\n"
    return "\n".join(heading.format(name) + _by_protocol(own) for name, own in by_tag.items())


def _by_protocol(trainings: Trainings) -> str:
    """One table of {architecture: its training's figures}: protocols down."""
    rows = [
        {
            "protocol": f"`{protocol}`",
            "how it resizes": resampling(get_protocol(protocol)),
            **{name: percent(own[protocol].top1) if protocol in own else "" for name, own in trainings.items()},
        }
        for protocol in ranked_protocols(trainings)
    ]
    return markdown(rows)


def measured_under_several(
    dataset: str, specs: Iterable[ModelSpec], results: Iterable[EvalResult]
) -> dict[str, dict[str, EvalResult]]:
    """{weights: {protocol: measurement}} of those that were measured under several protocols.

    Weights are named by their model, and by what else is unusual in how they were measured: the backend, the
    precision, views of an image.

    Args:
        dataset: whose measurements are taken.
        specs: of the index.
        results: stored ones.
    """
    measured: dict[str, dict[str, EvalResult]] = {}
    stored = [r for r in results if r.dataset == dataset and r.subset is None]
    for spec in specs:
        for result in (r for r in stored if r.model == spec.name and has_weights_of(r, spec)):
            row = str(replace(result.conditions, protocol=spec.name))
            measured.setdefault(row, {})[result.protocol] = result
    return {name: own for name, own in measured.items() if len(own) > 1}


def measured_by_protocol(dataset: str, specs: Iterable[ModelSpec], results: Sequence[EvalResult]) -> str:
    """The same weights measured under several protocols, top-1, a column a file; "" where there are no such weights.

    Args:
        dataset: whose measurements are taken.
        specs: of the index.
        results: stored ones.
    """
    columns = measured_under_several(dataset, specs, results)
    protocols = [name for name in PROTOCOLS if any(name in own for own in columns.values())]
    cells = [
        {
            "protocol": f"`{protocol}`",
            **{name: f"{r.top1:.2f}{mark(r)}" if (r := own.get(protocol)) else "" for name, own in columns.items()},
        }
        for protocol in protocols
    ]
    return markdown(cells) + legend(result for own in columns.values() for result in own.values()) if cells else ""
