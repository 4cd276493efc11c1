"""The network of a Torch7 file, and the tensors that its layers take."""

from __future__ import annotations

from pathlib import Path

import torch
from torch7_writer import Obj, numbered, read_network

from densezoo.formats.torch7.layers import Linear, Relu


def test_layers_name_their_tensors(tmp_path: Path) -> None:
    linear = Obj("nn.Linear", {"weight": numbered(2, 3), "bias": numbered(2), "gradWeight": numbered(2, 3)})
    checkpoint = read_network(tmp_path / "net.t7", linear, Obj("nn.ReLU", {}))
    first, second = checkpoint.modules
    assert isinstance(first, Linear)
    assert isinstance(second, Relu)
    assert first.bias is not None
    assert list(checkpoint.tensors) == [first.weight.name, first.bias.name]
    assert torch.equal(checkpoint.tensors[first.weight.name], torch.arange(6.0).reshape(2, 3))
    assert checkpoint.dropped == {"gradients": 1}
    assert checkpoint.source == checkpoint.format == "torch7"
