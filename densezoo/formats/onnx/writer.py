"""A computation -> an ONNX file with unfolded norms and weights under their canonical names, which can be read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from densezoo.errors import FormatError, MissingDependencyError
from densezoo.types.computation import Computation, Node

OPSET, IR_VERSION = 17, 8


def write_onnx(
    path: Path, computation: Computation, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write images (N, channels, H, W) -> logits (N, classes), for any N, H and W.

    Args:
        path: the file.
        computation: the network's.
        state_dict: {canonical name: float32 tensor}; those that no step takes are left out.
        facts: JSON values under the metadata key "densezoo".

    Raises:
        MissingDependencyError: no onnx.
        FormatError: a step that can't be written.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingDependencyError(f"{path}: writing ONNX", "onnx", "formats") from None
    start, end = computation.input, computation.output
    names = {start.name: start.name}  # {step: its name in the file}
    nodes: list[Any] = []
    for node in computation.nodes[1:]:
        if node.op not in _OPERATORS:
            raise FormatError(f"{path}: a step {node.op!r} ({node.name}) has no writer for ONNX; use another format")
        operator, attributes = _OPERATORS[node.op]
        names[node.name] = name = f"{operator}_{len(nodes)}"
        inputs = [*(names[key] for key in node.inputs), *node.weights]
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes(node)))
    graph = helper.make_graph(
        nodes,
        computation.name,
        [helper.make_tensor_value_info(start.name, TensorProto.FLOAT, ["N", start.attributes["channels"], "H", "W"])],
        [helper.make_tensor_value_info(names[end.name], TensorProto.FLOAT, ["N", end.attributes["channels"]])],
        [
            numpy_helper.from_array(state_dict[name].numpy(), name)
            for name in sorted({name for node in computation.nodes for name in node.weights})
        ],
    )
    model = helper.make_model(
        graph, producer_name="densezoo", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(model, {"densezoo": json.dumps(facts, sort_keys=True)})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _window(node: Node) -> dict[str, Any]:
    if node.attributes["pads"] == "same":  # auto_pad has it, but reads back as another step
        raise FormatError(f"a step with pads 'same' ({node.name}) has no writer for ONNX; use another format")
    return {
        "kernel_shape": node.attributes["kernel"],
        "strides": node.attributes["stride"],
        "pads": node.attributes["pads"],
    }


def _conv(node: Node) -> dict[str, Any]:
    rare = {"group": node.attributes.get("groups"), "dilations": node.attributes.get("dilation")}
    return _window(node) | {name: value for name, value in rare.items() if value is not None}


def _pool(node: Node) -> dict[str, Any]:
    return _window(node) | {"ceil_mode": int(node.attributes["ceil_mode"])}


def _none(node: Node) -> dict[str, Any]:
    return {}


#: {a step's operation: (ONNX's operator, its attributes)}; the operator takes the weights in the step's order.
_OPERATORS: Mapping[str, tuple[str, Callable[[Node], dict[str, Any]]]] = {
    "conv": ("Conv", _conv),
    "norm": ("BatchNormalization", lambda node: {"epsilon": node.attributes["eps"]}),
    "relu": ("Relu", _none),
    "max_pool": ("MaxPool", _pool),
    "avg_pool": ("AveragePool", _pool),
    "global_avg_pool": ("GlobalAveragePool", _none),
    "concat": ("Concat", lambda node: {"axis": node.attributes["axis"]}),
    "flatten": ("Flatten", lambda node: {"axis": 1}),
    "linear": ("Gemm", lambda node: {"transB": 1}),
}
