"""FLOPs by the three conventions that can be reproduced, counted on a network's computation.

Four publishers state four numbers for one densenet121 (2.83, 2.87, 2.88 and 3.64 G): they count different operations.
Each convention is a weighted sum of one count of the steps; for the fourth, Papers with Code's, no definition was
found, so that it can be stated but not held against anything. The counts are fvcore's, which a test holds them to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod

from densezoo.types.computation import Computation, Node, channels, same_pads, sides

#: {convention: {counted operation: operations that it counts for}}.
CONVENTIONS: Mapping[str, Mapping[str, int]] = {
    # torchvision/models/densenet.py _ops: multiply-adds of convolutions and the classifier
    "torchvision": {"conv": 1, "linear": 1},
    # timm's results/benchmark-*.csv gmacs, fvcore's own counting: a batch norm is two operations an element
    "timm": {"conv": 1, "linear": 1, "norm": 2, "layer_norm": 5},
    # mmpretrain configs/densenet/metafile.yml: norm and ReLU are three an element, pooling one an input; no classifier
    "mmpretrain": {"conv": 1, "norm": 3, "pool": 1},
}

UNDEFINED = ("paperswithcode",)

#: {a step's operation: the operation that it is counted as}; absent ones are not counted.
_COUNTED = {
    "conv": "conv", "blur": "conv", "linear": "linear", "norm": "norm", "layer_norm": "layer_norm",
    "max_pool": "pool", "avg_pool": "pool", "global_avg_pool": "pool",
}  # fmt: skip


def count_operations(computation: Computation, image_size: int) -> Mapping[str, int]:
    """{"conv", "linear": multiply-adds, "norm", "layer_norm": elements, "pool": inputs} for one square image.

    Args:
        computation: of the network.
        image_size: side in pixels.
    """
    widths, maps = channels(computation), sides(computation, image_size, image_size)
    counts: Counter[str] = Counter()
    for node in computation.nodes:
        if node.op in _COUNTED:
            before, after = ((widths[name], *maps[name]) for name in (node.inputs[0], node.name))
            counts[_COUNTED[node.op]] += _operations(node, before, after)
    return counts


def flops(counts: Mapping[str, int], convention: str) -> int:
    """FLOPs by a convention.

    Args:
        counts: of `count_operations`.
        convention: one of CONVENTIONS.
    """
    return sum(times * counts.get(operation, 0) for operation, times in CONVENTIONS[convention].items())


def _operations(node: Node, before: tuple[int, int, int], after: tuple[int, int, int]) -> int:
    """The number that one step adds to its operation's count.

    Args:
        node: the step.
        before, after: (channels, height, width) of its input and its output.
    """
    if node.op == "linear":
        return before[0] * after[0]
    if node.op in ("conv", "blur"):  # a blur is a convolution of every channel by itself
        groups = before[0] if node.op == "blur" else node.attributes.get("groups", 1)
        height, width = node.attributes["kernel"]
        return prod(after) * (before[0] // int(groups)) * int(height) * int(width)
    if node.attributes.get("pads") == "same":  # torch has no such pool: its input is padded in a step before it
        return before[0] * prod(side + same_pads(node, side, axis) for axis, side in enumerate(before[1:]))
    return prod(before)
