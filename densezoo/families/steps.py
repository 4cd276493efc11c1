"""A computation, made step by step: what every family's wiring has in common."""

from __future__ import annotations

from typing import Any

from densezoo.types import Layer, Node


class Steps:
    """The steps so far; ``at`` is the name of the last."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.at = ""

    def add(self, op: str, name: str, layer: Layer | None = None, **attributes: Any) -> None:
        """A step that takes the last one's output, and a layer's weights."""
        weights = tuple(f"{layer.name}.{param}" for param in layer.shapes) if layer else ()
        self.nodes.append(Node(op, name, (self.at,) if self.nodes else (), attributes, weights))
        self.at = name

    def join(self, name: str, features: list[str]) -> None:
        """All features side by side; a single one as it is."""
        self.at = features[0]
        if len(features) > 1:
            self.nodes.append(Node("concat", name, tuple(features), {"axis": 1}))
            self.at = name
