"""An RDNet's wiring as data: every step from the image to the logits, with its attributes and weights.

`densezoo.families.rdnet.network` is the same network as a module; a test holds each to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import layers
from densezoo.types import Computation, Freedom, Layer, Node

#: No pool is free, and no batch norm is there: a file's graph has to be the family's, epsilons included.
FREEDOM = Freedom(title="an RDNet's", norm_eps="norm_eps", pools={}, places={})


def computation(arch: RDNetArchitecture) -> Computation:
    """What the network computes in evaluation; named by timm's modules."""
    steps, todo = _Steps(arch), layers(arch)
    steps.add("input", "images", channels=arch.in_chans)
    steps.conv(next(todo))
    steps.norm(next(todo), arch.norm_eps)
    for stage, depth in enumerate(arch.block_config):
        if stage:
            steps.norm(next(todo), arch.norm_eps)
            steps.conv(next(todo))
        features = [steps.at]
        for index in range(depth):
            steps.join(f"stage{stage}.layer{index}.concat", features)
            steps.layer(todo, stage in arch.attention)
            features.append(steps.at)
        steps.join(f"stage{stage}.concat", features)
    steps.add("global_avg_pool", "pool")
    steps.norm(next(todo), arch.head_norm_eps)
    steps.add("flatten", "flatten")
    steps.add("linear", "classifier", next(todo), channels=arch.num_classes)
    return Computation("rdnet", tuple(steps.nodes))


class _Steps:
    """The steps so far; ``at`` is the name of the last."""

    def __init__(self, arch: RDNetArchitecture) -> None:
        self.arch, self.nodes, self.at = arch, list[Node](), ""

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

    def conv(self, layer: Layer) -> None:
        pad = layer.kernel_size // 2 if layer.stride == 1 else 0
        sides = {"kernel": (layer.kernel_size,) * 2, "stride": (layer.stride,) * 2, "pads": (pad,) * 4}
        self.add("conv", layer.name, layer, channels=layer.out_channels, groups=layer.groups, **sides)

    def norm(self, layer: Layer, eps: float) -> None:
        self.add("layer_norm", layer.name, layer, eps=eps)

    def layer(self, todo: Iterator[Layer], attention: bool) -> None:
        """A dense layer: what it makes of its input, its gate and its gain."""
        self.conv(next(todo))
        self.norm(next(todo), self.arch.norm_eps)
        self.conv(next(todo))
        self.add("gelu", f"{self.at}.gelu")
        self.conv(next(todo))
        if attention:
            made, gate = self.at, next(todo)
            self.add("global_avg_pool", f"{gate.name}.pool")
            self.conv(gate)
            self.add("hard_sigmoid", f"{gate.name}.gate")
            self.nodes.append(Node("multiply", f"{gate.name}.gated", (made, self.at)))
            self.at = f"{gate.name}.gated"
        gain = next(todo)
        self.add("scale", f"{gain.name}.gain", gain)
