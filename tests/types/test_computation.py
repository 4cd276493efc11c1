"""Widths and sides of the steps' outputs, held to torch's."""

from __future__ import annotations

import itertools

import pytest
import torch
from toy_computation import TOY, window

from densezoo.types.computation import Attributes, Computation, Node, channels, sides


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_sides_are_those_of_torch_s_pools(ceil_mode: bool) -> None:
    for kernel, stride, pad, side in itertools.product((1, 2, 3), (1, 2, 3), (0, 1), (3, 4, 5, 6, 7)):
        if pad <= kernel // 2:
            attributes: Attributes = {**window(kernel, stride, pad), "ceil_mode": ceil_mode}
            steps = (Node("input", "x", (), {"channels": 1}), Node("max_pool", "p", ("x",), attributes))
            pooled = torch.nn.MaxPool2d(kernel, stride, pad, ceil_mode=ceil_mode)(torch.zeros(1, 1, side, side + 1))
            assert sides(Computation("pool", steps), side, side + 1)["p"] == tuple(pooled.shape[2:])


def test_channels_of_a_branch_add_up() -> None:
    assert channels(TOY) == {"x": 4, "c": 6, "r": 6, "m": 6, "a": 6, "j": 12, "g": 12, "f": 12, "l": 3}
