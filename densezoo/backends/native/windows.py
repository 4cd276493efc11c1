"""Which rows, or columns, of a map each one of a pooled map is made of, and with which weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezoo.backends.native.library import Floats
from densezoo.errors import BackendError
from densezoo.types.computation import Node, same_pads


@dataclass(frozen=True)
class Taps:
    """The windows of one axis.

    Args:
        index: (outputs, taps) of the input; where a window is cut off it repeats its nearest one.
        weight: the same; where it is cut off 0.
    """

    index: NDArray[np.int32]
    weight: Floats


def taps(node: Node, side: int, outputs: int, axis: int) -> Taps:
    """The windows of a pool along one axis.

    Args:
        node: a ``max_pool``, ``avg_pool``, ``blur`` or ``global_avg_pool``.
        side: of the map that is pooled, pixels.
        outputs: side of the pooled map, pixels.
        axis: 0: its height; 1: its width.

    Raises:
        BackendError: an average over padding, or a map too small to be reflected.
    """
    if node.op == "global_avg_pool":
        return Taps(np.arange(side, dtype=np.int32)[None], np.full((1, side), 1 / side, np.float32))
    kernel, stride = int(node.attributes["kernel"][axis]), int(node.attributes["stride"][axis])
    pads = node.attributes["pads"]
    before = same_pads(node, side, axis) // 2 if pads == "same" else int(pads[axis])
    index = np.arange(outputs)[:, None] * stride - before + np.arange(kernel)
    inside = (index >= 0) & (index < side)
    if node.op == "blur":
        if side < 2:
            raise BackendError(f"backend native: {node.name} reflects a map of {side} pixel; use a larger image")
        index = np.where(index < 0, -index, np.where(index < side, index, 2 * side - 2 - index))
        weight = np.broadcast_to([0.25, 0.5, 0.25], index.shape)
    else:
        if node.op == "avg_pool" and pads != "same" and any(pads):
            raise BackendError(f"backend native: {node.name} averages over padding, which it has no step for")
        weight = inside / inside.sum(1, keepdims=True)
    return Taps(np.ascontiguousarray(index.clip(0, side - 1), np.int32), np.ascontiguousarray(weight, np.float32))
