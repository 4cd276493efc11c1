"""torch's operators, as TorchScript's code and torch.export's graphs name them, in the terms of `Node`.

Signatures: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/native_functions.yaml
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from densezoo.types import Node
from densezoo.types.computation import Attributes, Side

Value = TypeVar("Value")  # of a call's argument

#: {a further name of an operator: the name in _OPERATORS}.
_SAME = {
    "relu_": "relu", "dropout_": "dropout", "feature_dropout": "dropout", "feature_dropout_": "dropout",
    "_convolution": "convolution", "log_softmax": "softmax", "reshape": "view", "detach": "clone",
    "contiguous": "clone", "alias": "clone", "max_pool2d_with_indices": "max_pool2d",
}  # fmt: skip
#: {operator: (our operation, the operator's arguments in order)}; a call with another argument is refused.
_OPERATORS = {
    "conv2d": ("conv", "input weight bias stride padding dilation groups"),
    "convolution": (
        "conv",
        "input weight bias stride padding dilation transposed output_padding groups benchmark deterministic "
        "cudnn_enabled allow_tf32",
    ),
    "batch_norm": ("norm", "input weight bias running_mean running_var training momentum eps cudnn_enabled"),
    "_native_batch_norm_legit_no_training": ("norm", "input weight bias running_mean running_var momentum eps"),
    "relu": ("relu", "self"),
    "max_pool2d": ("max_pool", "self kernel_size stride padding dilation ceil_mode"),
    "avg_pool2d": ("avg_pool", "self kernel_size stride padding ceil_mode count_include_pad divisor_override"),
    "adaptive_avg_pool2d": ("global_avg_pool", "self output_size"),
    "mean": ("global_avg_pool", "self dim keepdim dtype"),
    "cat": ("concat", "tensors dim"),
    "flatten": ("flatten", "self start_dim end_dim"),
    "view": ("flatten", "self size"),
    "linear": ("linear", "input weight bias"),
    "addmm": ("linear", "bias input weight beta alpha"),  # of a transposed weight
    "dropout": ("identity", "input p train"),
    "clone": ("identity", "self memory_format"),
    "softmax": ("softmax", "self dim dtype"),
}
#: {operator: {torch's name of an argument: ours}}.
_RENAMED = {"addmm": {"self": "bias", "mat1": "input", "mat2": "weight"}}
#: What may be done to a linear layer's weight before addmm takes it.
TRANSPOSITIONS = ("t", "permute", "transpose", "numpy_T")
#: {our operation: {argument: its only value that is accepted}}.
_ONLY: dict[str, dict[str, object]] = {
    "conv": {"transposed": False, "output_padding": [0, 0]},
    "norm": {"training": False},
    "avg_pool": {"divisor_override": None},
    "global_avg_pool": {"dtype": None},
    "linear": {"beta": 1, "alpha": 1},
    "identity": {"train": False},
}
_WINDOW: Mapping[str, Literal[Side, "pads"]] = {
    "kernel_size": "kernel", "stride": "stride", "dilation": "dilation", "padding": "pads",
}  # fmt: skip
INPUTS = ("input", "self", "tensors")
WEIGHTS = ("weight", "bias", "running_mean", "running_var")
BATCH = "N"  # a side that is the number of images


def arguments(operator: str, values: Sequence[object]) -> dict[str, object]:
    """{argument: value} of a call by position; empty for an operator that is not in _OPERATORS.

    Args:
        operator: torch's name for it.
        values: the call's arguments, in order.
    """
    _, names = _OPERATORS.get(_SAME.get(operator, operator), ("", ""))
    return dict(zip(names.split(), values))


def renamed(operator: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """{our argument: value} of {torch's argument: value}.

    Args:
        operator: torch's name for it.
        values: the call's arguments, by torch's names.
    """
    return {_RENAMED.get(operator, {}).get(name, name): value for name, value in values.items()}


def known(operator: str) -> bool:
    """Whether an operator is in _OPERATORS; those take only the image's tensors and the module's weights.

    Args:
        operator: torch's name for it.
    """
    return _SAME.get(operator, operator) in _OPERATORS


def transposes(operator: str, values: Sequence[Any]) -> bool:
    """Whether a call of one of TRANSPOSITIONS swaps the two sides of a matrix.

    Args:
        operator: torch's name for it.
        values: the call's arguments after the matrix.
    """
    sides = values[0] if operator == "permute" else values
    return operator in ("t", "numpy_T") or sorted(side % 2 for side in sides) == [0, 1]


def node_terms(operator: str, values: Mapping[str, Any]) -> tuple[str, Attributes]:
    """The op and the attributes of the `Node` for a call.

    Args:
        operator: without namespace and overload, such as ``conv2d``.
        values: {argument: value}; what is absent has the operator's default.
    """
    operator = _SAME.get(operator, operator)
    op, names = _OPERATORS.get(operator, (operator, ""))
    strange = values.keys() - set(names.split()) if names else ()
    if strange:
        return f"{operator} with {min(strange)}", {}
    for argument, only in _ONLY.get(op, {}).items():
        value = values.get(argument, only)
        if (list(value) if isinstance(value, (list, tuple)) else value) != only:
            return f"{operator} with {argument} {str(value)[:40]}", {}
    attributes: Attributes = {}
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
        if attributes["axis"] not in (1, -3):
            op = f"{operator} over axis {attributes['axis']}"
    if op == "flatten":
        return _flattening(operator, values)
    if op == "softmax" and values.get("dim", 1) not in (1, -1):
        op = f"{operator} over axis {values['dim']}"
    if op == "global_avg_pool" and not _over_the_map(operator, values):
        op = f"{operator} of another size than the map's"
    return op, attributes


def _flattening(operator: str, values: Mapping[str, Any]) -> tuple[str, Attributes]:
    """(op, attributes) of a call that makes a row of each image; ``columns`` if it fixes the length of a row."""
    if operator == "flatten":
        start, end = values.get("start_dim", 0), values.get("end_dim", -1)
        return ("flatten", {}) if start == 1 and end in (-1, 3) else (f"flatten of {start} to {end}", {})
    size = values["size"]
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        return "view of another shape than a row for each image", {}
    return "flatten", {} if list(size) == [BATCH, -1] else {"columns": size[1]}


def reached(steps: Mapping[str, Node], end: str) -> tuple[Node, ...]:
    """The steps that the last one depends on, in their order.

    Args:
        steps: {name: step}.
        end: name of the last step.

    Raises:
        ValueError: another step may change a tensor that these steps use.
    """
    todo, wanted = [end], {end}
    while todo:
        new = set(steps[todo.pop()].inputs) - wanted
        wanted |= new
        todo += new
    harmless = {"input", *(op for op, _ in _OPERATORS.values())}
    for name, step in steps.items():
        if name not in wanted and step.op not in harmless:
            training = (
                " (saved in training mode? call .eval() first)" if step.op == "add_" else ""
            )  # a norm counts its batches
            raise ValueError(f"{step.op}, whose result is not used{training}")
    return tuple(step for name, step in steps.items() if name in wanted)


def _over_the_map(operator: str, values: Mapping[str, Any]) -> bool:
    """Whether an average is over height and width, whole."""
    if operator == "mean":
        return sorted(values.get("dim") or ()) in ([2, 3], [-2, -1])
    return list(values["output_size"]) in ([1, 1], [1])
