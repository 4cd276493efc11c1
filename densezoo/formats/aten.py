"""torch's operators, as TorchScript's code and torch.export's graphs name them, in the terms of `GraphNode`.

Signatures: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/native_functions.yaml
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from densezoo.types import GraphNode

#: Of the operators that have several names: one for each.
_SAME = {
    "relu_": "relu", "dropout_": "dropout", "feature_dropout": "dropout", "feature_dropout_": "dropout",
    "_convolution": "convolution", "log_softmax": "softmax", "reshape": "view", "detach": "clone",
    "contiguous": "clone", "alias": "clone", "max_pool2d_with_indices": "max_pool2d",
}  # fmt: skip
#: {operator: (ours, its arguments in their order)}.
_OPERATORS = {
    "conv2d": ("conv", "input weight bias stride padding dilation groups"),
    "convolution": ("conv", "input weight bias stride padding dilation transposed output_padding groups"),
    "batch_norm": ("norm", "input weight bias running_mean running_var training momentum eps"),
    "_native_batch_norm_legit_no_training": ("norm", "input weight bias running_mean running_var momentum eps"),
    "relu": ("relu", "self"),
    "max_pool2d": ("max_pool", "self kernel_size stride padding dilation ceil_mode"),
    "avg_pool2d": ("avg_pool", "self kernel_size stride padding ceil_mode count_include_pad divisor_override"),
    "adaptive_avg_pool2d": ("global_avg_pool", "self output_size"),
    "mean": ("global_avg_pool", "self dim keepdim"),
    "cat": ("concat", "tensors dim"),
    "flatten": ("flatten", "self start_dim end_dim"),
    "view": ("flatten", "self size"),
    "linear": ("linear", "input weight bias"),
    "addmm": ("linear", "bias input weight"),  # of a transposed weight
    "dropout": ("identity", "input p train"),
    "clone": ("identity", "self"),
    "softmax": ("softmax", "self dim"),
}
#: What may be done to a linear layer's weight before it is multiplied with.
TRANSPOSITIONS = ("t", "permute", "transpose", "numpy_T")
#: {ours: {argument: the only value with which it is what its name says}}.
_ONLY: dict[str, dict[str, Any]] = {
    "conv": {"transposed": False, "output_padding": [0, 0]},
    "norm": {"training": False},
    "avg_pool": {"divisor_override": None},
    "identity": {"train": False},
}
_WINDOW = {"kernel_size": "kernel", "stride": "stride", "dilation": "dilation", "padding": "pads"}
INPUTS = ("input", "self", "tensors")
WEIGHTS = ("weight", "bias", "running_mean", "running_var")


def arguments(operator: str, values: Sequence[Any]) -> dict[str, Any]:
    """{argument: value} of a call by position; empty for an operator that no DenseNet has."""
    _, names = _OPERATORS.get(_SAME.get(operator, operator), ("", ""))
    return dict(zip(names.split(), values))


def describe(operator: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A `GraphNode`'s op and attributes.

    Args:
        operator: without namespace and overload, such as ``conv2d``.
        values: {argument: value}; what is absent has the operator's default.
    """
    operator = _SAME.get(operator, operator)
    op, _ = _OPERATORS.get(operator, (operator, ""))
    for argument, only in _ONLY.get(op, {}).items():
        found = values.get(argument, only)
        if (list(found) if isinstance(found, (list, tuple)) else found) != only:
            return f"{operator} with {argument} {str(found)[:40]}", {}
    attributes: dict[str, Any] = {}
    if op in ("conv", "max_pool", "avg_pool"):
        for argument, name in _WINDOW.items():
            sides = values.get(argument) or ()  # an absent stride is a pool's kernel
            if not isinstance(sides, (list, tuple)) or len(sides) not in (0, 1, 2):
                return f"{operator} with {argument} {str(sides)[:40]}", {}
            if sides:
                height, width = sides[0], sides[-1]
                attributes[name] = (height, width, height, width) if name == "pads" else (height, width)
        attributes["groups"] = values.get("groups", 1)
    if op.endswith("_pool"):
        attributes["ceil_mode"] = bool(values.get("ceil_mode", False))
    if op == "norm":
        attributes["eps"] = values["eps"]
    if op == "concat":
        attributes["axis"] = values.get("dim", 0)
    if op == "softmax" and values.get("dim", 1) not in (1, -1):
        op = f"{operator} over axis {values['dim']}"
    if op == "global_avg_pool" and not _over_the_map(operator, values):
        op = f"{operator} of another size than the map's"
    return op, attributes


def reached(steps: Mapping[str, GraphNode], end: str) -> tuple[GraphNode, ...]:
    """Those of the steps, by their names, that the last one depends on, in their order."""
    todo, wanted = [end], {end}
    while todo:
        new = set(steps[todo.pop()].inputs) - wanted
        wanted |= new
        todo += new
    return tuple(step for name, step in steps.items() if name in wanted)


def _over_the_map(operator: str, values: Mapping[str, Any]) -> bool:
    """Whether an average is over height and width, whole."""
    if operator == "mean":
        return sorted(values.get("dim") or ()) in ([2, 3], [-2, -1])
    return list(values["output_size"]) in ([1, 1], [1])
