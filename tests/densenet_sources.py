"""Small DenseNets' weights as each source's file has them, written out independently of the converter."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
import torch
from examples import randomise_statistics

from densezoo.conversion.match import convert
from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.network import DenseNet
from densezoo.types import Architecture, Checkpoint, KeyMap

SMALL = DenseNetArchitecture(8, (2, 3), 16, num_classes=5)
CIFAR = DenseNetArchitecture(6, (2, 2, 2), 12, stem="cifar", num_classes=10)
DEEP = DenseNetArchitecture(8, (1, 2), 16, stem="deep", num_classes=4)
PLAIN = DenseNetArchitecture(6, (2, 1), 12, bn_size=None, reduction=1.0, stem="cifar", num_classes=3)


def as_densenet(arch: Architecture) -> DenseNetArchitecture:
    """The architecture, which has to be a DenseNet's."""
    assert isinstance(arch, DenseNetArchitecture)
    return arch


def state_dict(arch: DenseNetArchitecture, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under canonical names."""
    torch.manual_seed(seed)
    return dict(randomise_statistics(DenseNet(arch), seed).state_dict())


def taken_apart(op: str, name: str, canonical: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tensors that an operation makes a parameter of, worked out here and not by the converter."""
    tensor = canonical[name]
    one, zero = torch.ones_like(tensor), torch.zeros_like(tensor)
    return {
        "identity": lambda: [tensor],
        "hwio": lambda: [tensor.permute(2, 3, 1, 0).contiguous()],
        "hwio_rotated": lambda: [tensor.permute(2, 3, 1, 0).flip(0).flip(1).contiguous()],
        "transposed": lambda: [tensor.t().contiguous()],
        "matrix": lambda: [tensor[:, :, None, None]],
        "hwio_matrix": lambda: [tensor.t()[None, None]],
        "vector": lambda: [tensor[None, None, None]],
        "divided": lambda: [tensor * 4, torch.tensor([4.0])],
        "product": lambda: [tensor / 2, one * 2],
        "affine": lambda: [zero + 3, one * 2, tensor - 6],
        "plus_1e-5": lambda: [tensor - 1e-5],
    }[op]()


def as_source(keymap: KeyMap, arch: DenseNetArchitecture, counters: bool = True) -> dict[str, torch.Tensor]:
    """The same weights under a source's names, written out independently of the converter."""
    canonical, renamed = state_dict(arch), dict[str, torch.Tensor]()
    ranks = {"conv": 0, "norm": 0, "linear": 0}
    for layer in layers(arch):
        b, n = layer.block, layer.index
        places = {"block": b, "layer": n, "block0": b - 1, "layer0": n - 1, "stage": b + 1, "rank": ranks[layer.kind]}
        places |= {"even": 2 * (n - 1), "odd": 2 * (n - 1) + 1, "in_stage": n - 1 if b == 1 else n}
        places |= {"block2_1": 2 * b + 1, "block2_2": 2 * b + 2, "block2_3": 2 * b + 3}
        ranks[layer.kind] += 1
        name = keymap.templates[layer.role][0].format(**places)
        for param, made in keymap.params.get(layer.role, keymap.params[layer.kind]).items():
            if param != "num_batches_tracked" or counters:
                parts = taken_apart(made.op, f"{layer.name}.{param}", canonical)
                renamed |= {f"{name}{end}": part for end, part in zip(made.ends, parts)}
    return renamed


def checkpoint(tensors: dict[str, torch.Tensor], keymap: KeyMap = KEYMAPS[0], **facts: Any) -> Checkpoint:
    """What a reader gives of a file with these tensors."""
    return Checkpoint("model.pth", "pytorch", tensors, metadata=keymap.requires, **facts)


def assert_exact(tensors: dict[str, torch.Tensor], arch: DenseNetArchitecture, keymap: KeyMap = KEYMAPS[0]) -> None:
    """Convert a source's tensors of `state_dict`, and find them and the architecture again."""
    asked = {name: getattr(arch, name) for name, _ in [keymap.asks.get(("stem", arch.stem), ("stem", {}))]}
    found, converted, report = convert(checkpoint(tensors, keymap), **asked)
    semantics: dict[str, Any] = {**keymap.semantics, **asked}
    assert found == dataclasses.replace(arch, **semantics)
    assert report.exact
    assert report.matched == len(tensors)
    expected = state_dict(arch)
    assert converted.keys() == expected.keys()
    ops = {made.op for params in keymap.params.values() for made in params.values()}
    fused = ops & {"affine", "plus_1e-5"}  # x - 6 + 6 rounds
    same = functools.partial(torch.allclose, atol=1e-6) if fused else torch.equal
    assert all(same(converted[name], expected[name]) for name in expected if "num_batches" not in name)


def refusal(tensors: dict[str, torch.Tensor], arch: DenseNetArchitecture | None = None) -> str:
    """What is said of a file with these tensors, which is refused."""
    with pytest.raises(CheckpointError) as caught:
        convert(checkpoint(tensors), arch)
    return str(caught.value)
