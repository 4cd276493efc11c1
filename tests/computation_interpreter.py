"""A computation's nodes, executed with torch's functions: what the nodes say, and nothing of any module."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from densezoo.types.computation import Computation, Node, same_pads

#: (the node, its inputs, its weights) -> its output.
Operation = Callable[[Node, list[Tensor], list[Tensor]], Tensor]


def run(computation: Computation, weights: Mapping[str, Tensor], images: Tensor) -> dict[str, Tensor]:
    """{name of a step: its output}."""
    outputs = {computation.input.name: images}
    for node in computation.nodes[1:]:
        inputs = [outputs[name] for name in node.inputs]
        outputs[node.name] = OPERATIONS[node.op](node, inputs, [weights[name] for name in node.weights])
    return outputs


def _padded(node: Node, x: Tensor, value: float = 0.0, mode: str = "constant") -> Tensor:
    if node.attributes["pads"] == "same":
        both = [same_pads(node, x.shape[axis + 2], axis) for axis in (0, 1)]
        top, left, bottom, right = both[0] // 2, both[1] // 2, -(-both[0] // 2), -(-both[1] // 2)
    else:
        top, left, bottom, right = node.attributes["pads"]
    return functional.pad(x, (left, right, top, bottom), mode, value if mode == "constant" else None)


def _conv(node: Node, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    stride, groups = node.attributes["stride"], node.attributes.get("groups", 1)
    weight, bias = weights[0], weights[1] if len(weights) > 1 else None
    return functional.conv2d(_padded(node, inputs[0]), weight, bias, stride=stride, groups=groups)


def _norm(node: Node, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    weight, bias, mean, variance = weights
    return functional.batch_norm(inputs[0], mean, variance, weight, bias, eps=node.attributes["eps"])


def _pool(function: Callable[..., Tensor]) -> Operation:
    def pool(node: Node, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
        sides, same = (node.attributes["kernel"], node.attributes["stride"]), node.attributes["pads"] == "same"
        x = _padded(node, inputs[0], value=float("-inf")) if same else inputs[0]
        padding = 0 if same else node.attributes["pads"][:2]
        return function(x, *sides, padding=padding, ceil_mode=node.attributes["ceil_mode"])

    return pool


def _blur(node: Node, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    row, width = torch.tensor([0.25, 0.5, 0.25]), inputs[0].shape[1]
    kernel = (row[:, None] * row).expand(width, 1, 3, 3)
    padded = _padded(node, inputs[0], mode="reflect")
    return functional.conv2d(padded, kernel, stride=node.attributes["stride"], groups=width)


def _layer_norm(node: Node, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    pixels, (weight, bias) = inputs[0].permute(0, 2, 3, 1), weights
    normed = functional.layer_norm(pixels, pixels.shape[-1:], weight, bias, eps=node.attributes["eps"])
    return normed.permute(0, 3, 1, 2)


OPERATIONS: dict[str, Operation] = {
    "conv": _conv,
    "norm": _norm,
    "layer_norm": _layer_norm,
    "scale": lambda node, inputs, weights: inputs[0] * weights[0].reshape(1, -1, 1, 1),
    "gelu": lambda node, inputs, weights: functional.gelu(inputs[0]),
    "hard_sigmoid": lambda node, inputs, weights: functional.hardsigmoid(inputs[0]),
    "multiply": lambda node, inputs, weights: inputs[0] * inputs[1],
    "relu": lambda node, inputs, weights: functional.relu(inputs[0]),
    "max_pool": _pool(functional.max_pool2d),
    "avg_pool": _pool(functional.avg_pool2d),
    "blur": _blur,
    "global_avg_pool": lambda node, inputs, weights: functional.adaptive_avg_pool2d(inputs[0], (1, 1)),
    "concat": lambda node, inputs, weights: torch.cat(inputs, node.attributes["axis"]),
    "flatten": lambda node, inputs, weights: torch.flatten(inputs[0], 1),
    "linear": lambda node, inputs, weights: functional.linear(inputs[0], *weights),
}
