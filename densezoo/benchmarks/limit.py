"""How many multiplications the native engine's algorithm has left of a network: the limit of its speed."""

from __future__ import annotations

from math import prod

from densezoo.families.flops import count_operations, flops
from densezoo.types.computation import Computation, channels, sides

TILE = 4  # outputs a side of Winograd's F(4x4, 3x3)
_DOMAIN = (TILE + 2) ** 2  # products of a tile, of one input channel with one output channel


def products(computation: Computation, image_size: int) -> tuple[int, int]:
    """(multiply-adds of direct products, multiply-adds in Winograd's domain) of one image.

    A 3x3 convolution of stride 1 takes 36 multiplications where it writes 4x4 outputs, in place of 144; a 1x1
    convolution before an average pool comes after it.

    Args:
        computation: of the network.
        image_size: side in pixels.
    """
    widths, maps = channels(computation), sides(computation, image_size, image_size)
    total = flops(count_operations(computation, image_size), "torchvision")
    pooled = {node.inputs[0]: node for node in computation.nodes if node.op == "avg_pool"}
    winograd = 0
    for node in (node for node in computation.nodes if node.op == "conv" and node.attributes.get("groups", 1) == 1):
        pairs = widths[node.inputs[0]] * widths[node.name]
        if node.attributes["kernel"] == (3, 3) and node.attributes.get("stride", (1, 1)) == (1, 1):
            total -= pairs * 9 * prod(maps[node.name])
            winograd += pairs * _DOMAIN * prod(-(-side // TILE) for side in maps[node.name])
        elif node.attributes["kernel"] == (1, 1) and node.name in pooled:
            total -= pairs * (prod(maps[node.name]) - prod(maps[pooled[node.name].name]))
    return total, winograd
