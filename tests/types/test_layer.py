"""Widths and sides of a layer, held to torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from densezoo.types.layer import Layer


@pytest.mark.parametrize(
    ("module", "in_channels", "out_channels", "kernel_size"),
    [
        (nn.Conv2d(6, 8, 3), 6, 8, 3),
        (nn.Conv2d(6, 4, 5, groups=2), 6, 4, 5),
        (nn.Conv2d(6, 6, 7, groups=6), 6, 6, 7),
        (nn.BatchNorm2d(9), 9, 9, 1),
        (nn.LayerNorm(5), 5, 5, 1),
        (nn.Linear(7, 3), 7, 3, 1),
    ],
)
def test_what_a_layer_takes_and_gives(module: nn.Module, in_channels: int, out_channels: int, kernel_size: int) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    layer = Layer("role", "name", "kind", shapes, groups=getattr(module, "groups", 1))
    assert (layer.in_channels, layer.out_channels, layer.kernel_size) == (in_channels, out_channels, kernel_size)
    image = torch.zeros(2, in_channels, 9, 9)
    if isinstance(module, (nn.LayerNorm, nn.Linear)):
        image = image.permute(0, 2, 3, 1)
    with torch.inference_mode():
        assert out_channels in module(image).shape
