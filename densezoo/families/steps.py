"""Builds a computation step by step; every family's wiring uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezoo.types import Layer, Node

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from densezoo.types.computation import Attributes


class ComputationBuilder:
    """Collects the steps of a computation in ``nodes``; ``at`` is the name of the last one."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.at = ""

    def add(self, op: str, name: str, layer: Layer | None = None, **attributes: Unpack[Attributes]) -> None:
        """Append a step that takes the last one's output and a layer's weights.

        Args:
            op: the operation, one of `Node`'s table.
            name: of the step, which no other step has.
            attributes: how the operation computes (`Attributes`).
            layer: whose weights it takes; None: it takes none.
        """
        weights = tuple(f"{layer.name}.{param}" for param in layer.shapes) if layer else ()
        self.nodes.append(Node(op, name, (self.at,) if self.nodes else (), attributes, weights))
        self.at = name

    def join(self, name: str, features: list[str]) -> None:
        """Append the concatenation of features; with a single one, go back to it.

        Args:
            name: of the step.
            features: names of the steps whose outputs are joined.
        """
        self.at = features[0]
        if len(features) > 1:
            self.nodes.append(Node("concat", name, tuple(features), {"axis": 1}))
            self.at = name
