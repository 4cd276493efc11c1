"""FLOPs counted by hand, and by fvcore on the module itself."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

import pytest
import torch
from torch.nn import functional
from toy_computation import window

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.computation import computation
from densezoo.families.densenet.network import DenseNet
from densezoo.families.flops import CONVENTIONS, count_operations, flops
from densezoo.types import Computation, Node

PLAIN = DenseNetArchitecture(
    stem="cifar", growth_rate=2, num_init_features=4, block_config=(1, 1), bn_size=None, num_classes=5
)


def test_counts_by_hand() -> None:
    """4x4 image: conv 3->4, layer (4->2), transition 6->3 at 4x4, pooled to 2x2, layer (3->2), norm 5, linear 5->5."""
    counts = count_operations(computation(PLAIN), 4)
    convolutions = 16 * 9 * 3 * 4 + 16 * 9 * 4 * 2 + 16 * 6 * 3 + 4 * 9 * 3 * 2
    norms = 16 * 4 + 16 * 6 + 4 * 3 + 4 * 5
    pools = 16 * 3 + 4 * 5
    assert dict(counts) == {"conv": convolutions, "linear": 25, "norm": norms, "pool": pools}
    assert [flops(counts, name) for name in CONVENTIONS] == [
        convolutions + 25,
        convolutions + 25 + 2 * norms,
        convolutions + 3 * norms + pools,
    ]


def test_a_network_of_layer_norms_and_depthwise_convolutions() -> None:
    """timm's convention is fvcore's own, whose handler of a layer norm takes five operations an element."""

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.depthwise, self.norm = torch.nn.Conv2d(6, 6, 7, padding=3, groups=6), torch.nn.LayerNorm(6)
            self.gate, self.head = torch.nn.Conv2d(6, 6, 1), torch.nn.Linear(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.depthwise(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            x = x * functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
            logits: torch.Tensor = self.head(functional.gelu(x).mean((2, 3)))
            return logits

    steps = (
        Node("input", "images", (), {"channels": 6}),
        Node("conv", "depthwise", ("images",), {"channels": 6, "groups": 6, **window(7, 1, 3)}),
        Node("layer_norm", "norm", ("depthwise",)),
        Node("global_avg_pool", "mean", ("norm",)),
        Node("conv", "gate", ("mean",), {"channels": 6, **window(1, 1, 0)}),
        Node("hard_sigmoid", "open", ("gate",)),
        Node("multiply", "gated", ("norm", "open")),
        Node("gelu", "gelu", ("gated",)),
        Node("global_avg_pool", "pool", ("gelu",)),
        Node("flatten", "flatten", ("pool",)),
        Node("linear", "head", ("flatten",), {"channels": 4}),
    )
    counts = count_operations(Computation("layer", steps), 15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(Layer().eval(), torch.zeros(1, 6, 15, 15))
        assert flops(counts, "timm") == analysis.unsupported_ops_warnings(False).tracer_warnings("none").total()
    assert counts["layer_norm"] == 6 * 15 * 15


def elements(name: str) -> Callable[[list[Any], list[Any]], Counter[str]]:
    """An fvcore handler that counts the elements of an operation's first input under a name."""
    return lambda inputs, _: Counter({name: prod(inputs[0].type().sizes())})


def counted_by_fvcore(arch: DenseNetArchitecture, image_size: int) -> dict[str, int]:
    """What `count_operations` says, of a trace of the module."""
    pools = ("aten::max_pool2d", "aten::avg_pool2d", "aten::adaptive_avg_pool2d")
    handles = {"aten::batch_norm": elements("norm"), **dict.fromkeys(pools, elements("pool"))}
    image = torch.zeros(1, arch.in_chans, image_size, image_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts and traces, which torch deprecates
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(DenseNet(arch).eval(), image).set_op_handle(**handles)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        return dict(analysis.by_operator())


@pytest.mark.parametrize("stem", ["imagenet", "cifar", "cifar_norm", "deep"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bn_size": None, "in_chans": 1},
        {"aa_layer": "blurpool", "aa_stem_only": False},
        {"stem_padding": "same", "pool_padding": "same", "ceil_mode": True, "transition_pool": "max"},
        {"stem_ceil_mode": True, "reduction": 0.7},
    ],
)
@pytest.mark.parametrize("image_size", [64, 75])
def test_fvcore_counts_the_same(stem: str, changes: dict[str, Any], image_size: int) -> None:
    arch = dataclasses.replace(DenseNetArchitecture(4, (2, 1, 3), 8, num_classes=5), stem=stem, **changes)  # type: ignore[arg-type]
    assert dict(count_operations(computation(arch), image_size)) == counted_by_fvcore(arch, image_size)
