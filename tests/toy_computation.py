"""A small network that is of no family: what a writer has to write without knowing whose it is."""

from __future__ import annotations

import torch
from torch import Tensor

from densezoo.types.computation import Attributes, Computation, Node


def window(kernel: int, stride: int, pad: int) -> Attributes:
    """A square window's attributes."""
    return {"kernel": (kernel, kernel), "stride": (stride, stride), "pads": (pad,) * 4}


TOY = Computation(
    "toy",
    (
        Node("input", "x", (), {"channels": 4}),
        Node("conv", "c", ("x",), {"channels": 6, "groups": 2, **window(3, 2, 1)}, ("c.weight", "c.bias")),
        Node("relu", "r", ("c",)),
        Node("max_pool", "m", ("r",), {**window(3, 2, 1), "ceil_mode": False}),
        Node("avg_pool", "a", ("r",), {**window(2, 2, 0), "ceil_mode": False}),
        Node("concat", "j", ("m", "a"), {"axis": 1}),
        Node("global_avg_pool", "g", ("j",)),
        Node("flatten", "f", ("g",)),
        Node("linear", "l", ("f",), {"channels": 3}, ("l.weight", "l.bias")),
    ),
)
SHAPES = {"c.weight": (6, 2, 3, 3), "c.bias": (6,), "l.weight": (3, 12), "l.bias": (3,)}


def toy_weights() -> dict[str, Tensor]:
    """Normal numbers, always the same."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
