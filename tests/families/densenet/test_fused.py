"""Whole DenseNets by the kernels, on the CPU by Triton's interpreter."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch
from interpreted_child import LARGEST_ERROR, errors_of
from torch import nn

from densezoo.backends.triton import launch
from densezoo.errors import BackendError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.fused import ALIGNMENT, FusedBlocks, fuse, make_buffer
from densezoo.families.densenet.network import DenseNet

CASES: dict[str, dict[str, Any]] = {
    "bottleneck": {"precision": "float32", "side": 8, "stem": "cifar"},
    "plain, odd maps, bf16": {"precision": "bf16", "side": 9, "stem": "cifar", "bn_size": None},
}
MORE: dict[str, dict[str, Any]] = {
    "bottleneck, bf16": {"precision": "bf16", "side": 8, "stem": "cifar"},
    "bottleneck, fp16": {"precision": "fp16", "side": 8, "stem": "cifar"},
    "plain": {"precision": "float32", "side": 8, "stem": "cifar", "bn_size": None},
    "max pool": {"precision": "float32", "side": 9, "stem": "cifar", "transition_pool": "max"},
    "incomplete windows": {"precision": "float32", "side": 9, "stem": "cifar", "ceil_mode": True},
    "blur": {"precision": "float32", "side": 9, "stem": "cifar", "aa_layer": "blurpool", "aa_stem_only": False},
    "imagenet's stem": {"precision": "float32", "side": 40, "protocol": "torchvision", "block_config": (1, 1)},
}


@cache
def errors(more: bool) -> dict[str, float]:
    cases = MORE if more else CASES
    return dict(zip(cases, errors_of(("network", case) for case in cases.values())))


@pytest.mark.slow  # each of its kernels is tested in `make test`
@pytest.mark.parametrize("case", CASES)
def test_the_logits_are_eager_s(case: str) -> None:
    assert errors(more=False)[case] <= LARGEST_ERROR[CASES[case]["precision"]]


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE)
def test_so_are_those_of_other_architectures(case: str) -> None:
    assert errors(more=True)[case] <= LARGEST_ERROR[MORE[case]["precision"]]


def test_rows_of_a_buffer_are_aligned_and_its_pixels_are_rows_of_one_matrix() -> None:
    buffer = make_buffer(2, 3, 5, 37, like=torch.empty(0, dtype=torch.bfloat16))
    assert (buffer.shape, buffer.dtype) == ((2, 3, 5, 37), torch.bfloat16)
    row = buffer.stride(2)
    assert row % ALIGNMENT == 0
    assert buffer.stride() == (3 * 5 * row, 5 * row, row, 1)


def test_stem_and_head_stay_and_the_network_is_not_changed() -> None:
    network = DenseNet(DenseNetArchitecture(8, (1, 2), 16, num_classes=5)).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copied = copy.deepcopy(network)
    fuse(network, copied, torch.bfloat16, launch)
    assert isinstance(copied.features, nn.Sequential)
    names = [name for name, _ in copied.features.named_children()]
    assert names == ["conv0", "norm0", "relu0", "pool0", "blocks", "norm5"]
    blocks = copied.features.get_submodule("blocks")
    assert isinstance(blocks, FusedBlocks)
    assert {name: tensor.dtype for name, tensor in blocks.named_buffers() if name.startswith("blocks.0.0")} == {
        "blocks.0.0.scale": torch.float32,
        "blocks.0.0.shift": torch.float32,
        "blocks.0.0.product": torch.bfloat16,
        "blocks.0.0.bias": torch.float32,
        "blocks.0.0.convolution": torch.bfloat16,
    }
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_another_builder_s_network_is_refused() -> None:
    other = nn.Sequential(nn.Linear(1, 1))
    with pytest.raises(BackendError, match=r"expected densezoo's own DenseNet .* found torch\..*\.Sequential; use"):
        fuse(other, other, torch.float32, launch)
