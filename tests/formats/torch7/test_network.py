"""A Torch7 file's layers and the tensors that they take, before any family reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch7_writer import Obj, Sto, Ten, dumps

from densezoo.errors import CheckpointError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.torch7.layers import Linear, Other, Relu
from densezoo.types import Checkpoint


def tensor(*size: int) -> Ten:
    count = int(np.prod(size))
    stride = tuple(int(np.prod(size[i + 1 :])) for i in range(len(size)))
    return Ten("Float", size, stride, 0, Sto("Float", np.arange(count, dtype="f4")))


def read(tmp_path: Path, *modules: Obj) -> Checkpoint:
    (tmp_path / "net.t7").write_bytes(dumps(Obj("nn.Sequential", {"modules": list(modules)})))
    return read_checkpoint(tmp_path / "net.t7")


def test_layers_name_their_tensors(tmp_path: Path) -> None:
    linear = Obj("nn.Linear", {"weight": tensor(2, 3), "bias": tensor(2), "gradWeight": tensor(2, 3)})
    checkpoint = read(tmp_path, linear, Obj("nn.ReLU", {}))
    first, second = checkpoint.modules
    assert isinstance(first, Linear)
    assert isinstance(second, Relu)
    assert first.bias is not None
    assert list(checkpoint.tensors) == [first.weight.name, first.bias.name]
    assert torch.equal(checkpoint.tensors[first.weight.name], torch.arange(6.0).reshape(2, 3))
    assert checkpoint.dropped == {"gradients": 1}
    assert checkpoint.source == checkpoint.format == "torch7"


def test_a_module_of_another_class_is_passed_on_by_its_name(tmp_path: Path) -> None:
    (other,) = read(tmp_path, Obj("nn.ConcatTable", {"modules": [Obj("nn.Linear", {"weight": 3})]})).modules
    assert isinstance(other, Other)
    assert other.class_name == "nn.ConcatTable"
    assert other.label.startswith("module 1 (nn.ConcatTable, offset ")


def test_branches_that_no_dense_layer_has(tmp_path: Path) -> None:
    branches = Obj("nn.Concat", {"modules": [Obj("nn.ReLU", {}), Obj("nn.ReLU", {})], "dimension": 2})
    with pytest.raises(CheckpointError, match="joins branches of 1 and 1 layers; expected an nn.Identity and one"):
        read(tmp_path, branches)
