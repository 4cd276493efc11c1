"""The way of weights from their training through every port of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from densezoo.results.tables import origin
from densezoo.types import ModelSpec


@dataclass(frozen=True)
class Port:
    """A model, and the models that its weights were converted to.

    Args:
        spec: the model.
        ports: made directly of its weights, in the index's order.
    """

    spec: ModelSpec
    ports: tuple[Port, ...]


def lineage(spec: ModelSpec, specs: Mapping[str, ModelSpec]) -> Port:
    """The training that a model's weights come from, with every port of it, the model among them.

    Args:
        spec: the model.
        specs: the index.
    """
    children: dict[str, list[ModelSpec]] = {}
    for other in specs.values():
        if other.port_of is not None:
            children.setdefault(other.port_of, []).append(other)

    def port(of: ModelSpec) -> Port:
        return Port(of, tuple(port(child) for child in children.get(of.name, ())))

    return port(specs[origin(spec, specs)])
