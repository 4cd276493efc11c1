"""FLOPs by the three conventions that can be reproduced, counted by fvcore on the network itself.

Four publishers state four numbers for one densenet121 (2.83, 2.87, 2.88 and 3.64 G): they count different operations.
Each convention is a weighted sum of what one trace of the network counts; for the fourth, Papers with Code's, no
definition was found, so that it can be stated but not held against anything.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch

from densezoo.families import family_of
from densezoo.types import Architecture

#: {convention: {what is counted: how often}}.
CONVENTIONS: Mapping[str, Mapping[str, int]] = {
    # torchvision/models/densenet.py _ops: multiply-adds of convolutions and the classifier
    "torchvision": {"conv": 1, "linear": 1},
    # timm's results/benchmark-*.csv gmacs, fvcore's own counting: a batch norm is two operations an element
    "timm": {"conv": 1, "linear": 1, "norm": 2},
    # mmpretrain configs/densenet/metafile.yml: norm and ReLU are three an element, pooling one an input; no classifier
    "mmpretrain": {"conv": 1, "norm": 3, "pool": 1},
}

UNDEFINED = ("paperswithcode",)


def count_operations(arch: Architecture, image_size: int) -> Mapping[str, int]:
    """{"conv", "linear": multiply-adds, "norm": elements, "pool": inputs} for one square image.

    Args:
        image_size: side in pixels.
    """
    with torch.device("meta"):
        network = family_of(arch).network(arch, draw_weights=False).eval()
    network.to_empty(device="cpu")  # the trace needs shapes and no weights, and meta tensors can't be traced
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.detach().zero_()  # what memory happens to hold can be denormal, which a CPU computes slowly
    image = torch.zeros(1, arch.in_chans, image_size, image_size)
    pools = ("aten::max_pool2d", "aten::avg_pool2d", "aten::adaptive_avg_pool2d")
    handles = {"aten::batch_norm": _elements("norm"), **dict.fromkeys(pools, _elements("pool"))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts and traces, which torch deprecates
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(network, image).set_op_handle(**handles)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        counts: Mapping[str, int] = analysis.by_operator()
    return counts


def flops(counts: Mapping[str, int], convention: str) -> int:
    """The FLOPs of `count_operations` by one of CONVENTIONS."""
    return sum(times * counts[what] for what, times in CONVENTIONS[convention].items())


def _elements(name: str) -> Callable[[list[Any], list[Any]], Counter[str]]:
    """An fvcore handler that counts the elements of an operation's first input under a name."""
    return lambda inputs, _: Counter({name: prod(inputs[0].type().sizes())})
