"""One layer that has parameters, of any family's network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One layer that has parameters.

    Args:
        role: its function in the network, without its number: ``layer.conv1``. Key tables name roles. The last linear
            layer is ``classifier`` in every family.
        name: the canonical name, such as ``features.denseblock1.denselayer1.norm1``.
        kind: what it computes (``conv``, ``norm``, ...), by which key tables say how its parameters are made.
        shapes: {parameter or running statistic: shape}; convolutions are OIHW.
        block, index: block and layer in it, from 1; 0 where there is none.
        stride, groups: of a convolution.
    """

    role: str
    name: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    block: int = 0
    index: int = 0
    stride: int = 1
    groups: int = 1

    @property
    def out_channels(self) -> int:
        """Channels that it gives."""
        return self.shapes["weight"][0]

    @property
    def in_channels(self) -> int:
        """Channels that it takes; those that it gives, of a norm."""
        weight = self.shapes["weight"]
        return weight[1] * self.groups if len(weight) > 1 else weight[0]

    @property
    def kernel_size(self) -> int:
        """Side of a convolution's kernel in pixels; 1 of other layers."""
        weight = self.shapes["weight"]
        return weight[2] if len(weight) == 4 else 1
