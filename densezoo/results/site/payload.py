"""The data that the pages' scripts draw and compare, as plain values for JSON."""

from __future__ import annotations

from densezoo.protocols import PROTOCOLS
from densezoo.protocols.words import STEPS
from densezoo.results.cells import percent
from densezoo.results.site.columns import availability, family_title, giga_flops
from densezoo.results.site.speed import speeds_of
from densezoo.results.site.zoo import Zoo
from densezoo.results.tables import origin
from densezoo.types import Accuracy, ModelSpec


def zoo_values(zoo: Zoo) -> dict[str, object]:
    """{"models", "datasets", "protocols"}: every model with its current accuracies, and what protocols do.

    Args:
        zoo: what is shown.
    """
    used = {a.protocol for own in zoo.accuracies.values() for a in own} | {s.protocol for s in zoo.specs.values()}
    return {
        "models": [_model(zoo, spec) for spec in zoo.specs.values()],
        "datasets": dict(zoo.datasets),
        "protocols": {name: steps_of(name) for name in PROTOCOLS if name in used},
    }


def steps_of(protocol: str) -> dict[str, str]:
    """{step: what a protocol does in it}.

    Args:
        protocol: its name.
    """
    return {name: step(PROTOCOLS[protocol]) for name, step in STEPS.items()}


def _model(zoo: Zoo, spec: ModelSpec) -> dict[str, object]:
    headline = zoo.headlines[spec.name]
    return {
        "name": spec.name,
        "arch": spec.arch,
        "family": family_title(spec),
        "publisher": spec.publisher,
        "protocol": spec.protocol,
        "params": spec.num_params,
        "classes": spec.architecture.num_classes,
        "license": spec.license,
        "weights": availability(spec),
        "training": origin(spec, zoo.specs),
        "accuracies": [
            _accuracy(accuracy) | ({"own": True} if accuracy is headline else {})
            for accuracy in zoo.accuracies[spec.name]
            if not zoo.is_older(accuracy)
        ],
        "speeds": [
            {"conditions": each.conditions, "side": each.image_size, "rate": float(f"{each.rate.median:.4g}")}
            for each in speeds_of(spec, None, zoo.speeds)
        ],
    }


def _accuracy(accuracy: Accuracy) -> dict[str, object]:
    """An accuracy; what it lacks is left out, and the protocol where it is the label."""
    reported, measured = accuracy.reported, accuracy.measured
    flops = giga_flops(accuracy)
    values = {
        "dataset": accuracy.dataset,
        "label": accuracy.label,
        "protocol": accuracy.protocol if accuracy.protocol != accuracy.label else None,
        "published": None if reported is None or reported.top1 is None else percent(reported.top1),
        "by": None if reported is None else reported.published_by,
        "measured": None if measured is None else round(measured.top1, 4),
        "interval": None if measured is None else [round(bound, 2) for bound in measured.interval95],
        "gflops": None if flops is None else round(flops, 3),
    }
    return {name: value for name, value in values.items() if value is not None}
