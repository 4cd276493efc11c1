"""An RDNet's wiring as data: every step from the image to the logits, with its attributes and weights.

`densezoo.families.rdnet.network` is the same network as a module; a test holds each to the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import layers
from densezoo.families.steps import ComputationBuilder
from densezoo.types import Computation, Freedom, Layer, Node
from densezoo.types.computation import Sides

#: RDNets have no pools that may differ and no batch norms: a file's graph must equal the family's, epsilons included.
FREEDOM = Freedom(title="an RDNet's", norm_eps="norm_eps", pools={}, titles={})


def computation(arch: RDNetArchitecture) -> Computation:
    """The steps of an RDNet in evaluation, named after timm's modules.

    Args:
        arch: the network.
    """
    steps, todo = _Builder(arch), layers(arch)
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


class _Builder(ComputationBuilder):
    """Collects the steps of an RDNet."""

    def __init__(self, arch: RDNetArchitecture) -> None:
        super().__init__()
        self.arch = arch

    def conv(self, layer: Layer) -> None:
        pad = layer.kernel_size // 2 if layer.stride == 1 else 0
        sides: Sides = {"kernel": (layer.kernel_size,) * 2, "stride": (layer.stride,) * 2, "pads": (pad,) * 4}
        self.add("conv", layer.name, layer, channels=layer.out_channels, groups=layer.groups, **sides)

    def norm(self, layer: Layer, eps: float) -> None:
        self.add("layer_norm", layer.name, layer, eps=eps)

    def layer(self, todo: Iterator[Layer], attention: bool) -> None:
        """Append a dense layer: its convolutions, its gate if it has one, and its gain."""
        self.conv(next(todo))
        self.norm(next(todo), self.arch.norm_eps)
        self.conv(next(todo))
        self.add("gelu", f"{self.at}.gelu")
        self.conv(next(todo))
        if attention:
            ungated, gate = self.at, next(todo)
            self.add("global_avg_pool", f"{gate.name}.pool")
            self.conv(gate)
            self.add("hard_sigmoid", f"{gate.name}.gate")
            self.nodes.append(Node("multiply", f"{gate.name}.gated", (ungated, self.at)))
            self.at = f"{gate.name}.gated"
        gain = next(todo)
        self.add("scale", f"{gain.name}.gain", gain)
