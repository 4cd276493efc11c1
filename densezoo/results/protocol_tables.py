"""What each protocol does, and by how much its steps move an accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from statistics import fmean

from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.evidence import EVIDENCE
from densezoo.protocols.words import STEPS, differences
from densezoo.results.cells import model_link
from densezoo.results.markdown import markdown
from densezoo.results.tables import origin
from densezoo.results.weights import has_weights_of, mark
from densezoo.types import EvalResult, ModelSpec

_DATASET = "imagenet1k"  # whose published figures are compared
_LONG = 60  # characters
_MOST = 2  # of two protocols that differ in more steps, no difference of accuracy is put down to one of them


def steps_table(*, resizing: bool) -> str:
    """The steps of every protocol, a row each.

    Args:
        resizing: those that resize; False: those of small images, which stay as they are.
    """
    chosen = [protocol for protocol in PROTOCOLS.values() if (protocol.resize is not None) == resizing]
    steps = STEPS if resizing else {name: STEPS[name] for name in ("mean / deviation", "channels")}
    return markdown([{"protocol": f"`{p.name}`", **{name: step(p) for name, step in steps.items()}} for p in chosen])


def sources_list() -> str:
    """Where the publisher of each protocol states its steps, an item each."""
    return "".join(f"- `{protocol.name}`: {protocol.source}.\n" for protocol in PROTOCOLS.values())


def evidence_list() -> str:
    """What each protocol is held to, an item each."""
    items = []
    for name in PROTOCOLS:
        evidence = EVIDENCE[name]
        largest = "" if evidence.largest is None else f" {_agreement(evidence.largest)}."
        differs = f" Known to differ: {evidence.differs}." if evidence.differs else ""
        items.append(f"- `{name}`: {evidence.kind.value}: {evidence.held_to}.{largest}{differs}\n")
    return "".join(items)


def _agreement(largest: float) -> str:
    return f"Largest difference of a normalised value: {largest:g}" if largest else "Equal, bit for bit"


def published_pairs(specs: Mapping[str, ModelSpec]) -> list[dict[str, str]]:
    """Rows of {column: text}: by how much published top-1 of the same weights differs between protocols of few steps.

    A row is a pair of protocols. Its change is the second's figure less the first's, over all trainings that have
    both; of several figures of a training under one protocol, the first in the index stands.
    """
    trainings: dict[str, dict[str, float]] = {}
    for spec in specs.values():
        figures = trainings.setdefault(origin(spec, specs), {})
        for result in spec.reported:
            if result.dataset == _DATASET and result.protocol and result.top1 is not None and result.tta is None:
                figures.setdefault(result.protocol, result.top1)
    names = [name for name in PROTOCOLS if any(name in figures for figures in trainings.values())]
    rows = []
    for first, second in combinations(names, 2):
        steps = differences(PROTOCOLS[first], PROTOCOLS[second])
        changes = [own[second] - own[first] for own in trainings.values() if first in own and second in own]
        if changes and len(steps) <= _MOST:
            rows.append((len(steps), _pair_cells(first, second, steps, changes)))
    rows.sort(key=lambda row: row[0])
    return [cells for _, cells in rows]


def published_pairs_table(specs: Mapping[str, ModelSpec]) -> str:
    """The rows of `published_pairs` in Markdown."""
    return markdown(published_pairs(specs))


def measured_pairs_table(specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """By how much our own measurements of one file differ between protocols, a row each beside the file's own."""
    rows = []
    stored = [r for r in results if r.subset is None and r.tta is None]
    for spec in specs:
        own = [r for r in stored if r.model == spec.name and has_weights_of(r, spec)]
        for base in (r for r in own if r.protocol == spec.protocol):
            others = [r for r in own if r is not base and _same_but_protocol(base, r)]
            others.sort(key=lambda r: -r.top1)
            rows += [_measured_cells(spec, base, result) for result in (base, *others) if others]
    return markdown(rows)


def _pair_cells(first: str, second: str, steps: Mapping[str, tuple[str, str]], changes: list[float]) -> dict[str, str]:
    return {
        "from": f"`{first}`",
        "to": f"`{second}`",
        "what differs": _words(steps) or "nothing of the protocol: the networks, or how they were run",
        "trainings": f"{len(changes)}",
        "change": _signed(fmean(changes)),
        "least": _signed(min(changes)),
        "greatest": _signed(max(changes)),
    }


def _measured_cells(spec: ModelSpec, base: EvalResult, result: EvalResult) -> dict[str, str]:
    steps = differences(get_protocol(base.protocol), get_protocol(result.protocol))
    return {
        "weights": model_link(spec, "docs"),
        "images": f"{base.dataset}, {base.num_samples:,}",
        "protocol": f"`{result.protocol}`",
        "what differs from its own": _words(steps),
        "top-1": f"{result.top1:.2f}{mark(result)}",
        "change": _signed(result.top1 - base.top1) if result is not base else "",
    }


def _words(steps: Mapping[str, tuple[str, str]]) -> str:
    """``filter: bilinear → bicubic; mean / deviation``: what is short is written out."""
    changes = {name: f"{old} → {new}" for name, (old, new) in steps.items()}
    return "; ".join(f"{name}: {change}" if len(change) < _LONG else name for name, change in changes.items())


def _signed(change: float) -> str:
    return f"{change:+.2f}".replace("-0.00", "0.00").replace("+0.00", "0.00")


def _same_but_protocol(first: EvalResult, second: EvalResult) -> bool:
    """Whether two results are of the same images and the same computation; backends that are exact are the same."""
    alike = (first.dataset_fingerprint, first.precision) == (second.dataset_fingerprint, second.precision)
    return alike and first.conditions.backend == second.conditions.backend
