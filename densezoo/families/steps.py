"""Builds a computation step by step; every family's wiring uses it."""

from __future__ import annotations

from typing import Any

from densezoo.types import Layer, Node


class ComputationBuilder:
    """Collects the steps of a computation in ``nodes``; ``at`` is the name of the last one."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.at = ""

    def add(self, op: str, name: str, layer: Layer | None = None, **attributes: Any) -> None:
        """Append a step that takes the last one's output and a layer's weights.

        Args:
            op: the operation (`densezoo.types.Node`).
            name: the step's.
            layer: whose weights it takes; None: it takes none.
            attributes: of the operation, such as ``kernel`` or ``eps``.
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
