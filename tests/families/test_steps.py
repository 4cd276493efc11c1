"""ComputationBuilder of a computation, each fed by the one before it."""

from __future__ import annotations

from densezoo.families.steps import ComputationBuilder
from densezoo.types import Layer, Node


def test_a_chain_with_a_join() -> None:
    steps = ComputationBuilder()
    steps.add("input", "images", channels=3)
    steps.add("conv", "a", Layer("stem", "stem.conv", "conv", {"weight": (4, 3, 1, 1), "bias": (4,)}), groups=1)
    steps.join("one", ["a"])
    assert steps.at == "a"
    steps.add("relu", "b")
    steps.join("both", ["images", "b"])
    steps.add("flatten", "c")
    assert steps.nodes == [
        Node("input", "images", (), {"channels": 3}),
        Node("conv", "a", ("images",), {"groups": 1}, ("stem.conv.weight", "stem.conv.bias")),
        Node("relu", "b", ("a",)),
        Node("concat", "both", ("images", "b"), {"axis": 1}),
        Node("flatten", "c", ("both",)),
    ]
    assert steps.at == "c"
