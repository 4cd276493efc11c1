"""ONNX files: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3, read as a list of steps with their weights.

Exporters rename and merge weights, so a tensor's name here is the kind of its step and its rank among them:
``conv.0.weight``, ``norm.3.running_var``. `densezoo.checkpoints.graph` holds the steps to be a DenseNet's.
"""

from __future__ import annotations

import dataclasses
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, Bytes, item_size, to_tensor
from densezoo.formats.protobuf import Reader
from densezoo.formats.safetensors import stated_semantics
from densezoo.types import Checkpoint, GraphNode

_TENSOR = {
    1: ("dims*", "ints"), 2: ("dtype", "int"), 4: ("float_data", "bytes"), 7: ("int64_data*", "ints"),
    8: ("name", "text"), 9: ("raw_data", "bytes"), 13: ("external_data*", "bytes"), 14: ("location", "int"),
}  # fmt: skip
_ATTRIBUTE = {
    1: ("name", "text"), 2: ("f", "float"), 3: ("i", "int"), 4: ("s", "text"), 5: ("t", _TENSOR), 8: ("ints*", "ints"),
}  # fmt: skip
_NODE = {
    1: ("input*", "text"), 2: ("output*", "text"), 3: ("name", "text"), 4: ("op", "text"),
    5: ("attribute*", _ATTRIBUTE),
}  # fmt: skip
_GRAPH = {
    1: ("node*", _NODE), 5: ("initializer*", _TENSOR), 11: ("input*", {1: ("name", "text")}),
    12: ("output*", {1: ("name", "text")}),
}  # fmt: skip
_MODEL = {1: ("ir_version", "int"), 7: ("graph", _GRAPH), 14: ("metadata*", {1: ("key", "text"), 2: ("value", "text")})}
_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 16: BFLOAT16}

#: {ONNX's operator: (ours, the names of its weights)}.
_OPERATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Conv": ("conv", ("weight", "bias")),
    "BatchNormalization": ("norm", ("weight", "bias", "running_mean", "running_var")),
    "Gemm": ("linear", ("weight", "bias")),
    "MatMul": ("linear", ("weight",)),
    "Relu": ("relu", ()),
    "MaxPool": ("max_pool", ()),
    "AveragePool": ("avg_pool", ()),
    "GlobalAveragePool": ("global_avg_pool", ()),
    "Concat": ("concat", ()),
    "Flatten": ("flatten", ()),
    "Softmax": ("softmax", ()),
    "LogSoftmax": ("softmax", ()),
    "Identity": ("identity", ()),
    "Dropout": ("identity", ()),
}
#: Steps that only move numbers about at the network's end; their second input is a constant.
_RESHAPES = {"Reshape": "flatten", "Squeeze": "flatten", "ReduceMean": "global_avg_pool"}
_WINDOWS = {"kernel_shape": "kernel", "strides": "stride", "dilations": "dilation", "pads": "pads", "group": "groups"}


def looks_like_onnx(head: bytes, size: int) -> bool:
    """Whether the file begins with a version of ONNX's format (field 1, a small number)."""
    return head[:1] == b"\x08" and len(head) > 2 and 3 <= head[1] <= 20 and head[2] & 7 in (0, 2)


def read_onnx(data: Bytes) -> Checkpoint:
    """The weights of every step and the steps.

    Raises:
        FormatError: broken or truncated; weights in other files; steps of a kind that can't be held against a DenseNet.
    """
    path, model = data.path, Reader(data).parse(_MODEL)
    graph = model.get("graph")
    if graph is None:
        raise FormatError(f"{path}: an ONNX file by its first bytes, but without a graph; broken or truncated")
    weights = {tensor.get("name", ""): tensor for tensor in graph["initializer"]}
    steps = []
    for node in graph["node"]:
        if node.get("op") == "Constant":
            weights |= {
                name: attribute["t"] for name in node["output"] for attribute in node["attribute"] if "t" in attribute
            }
        elif node.get("op") == "Identity" and node["input"] and node["input"][0] in weights:
            weights |= dict.fromkeys(node["output"], weights[node["input"][0]])  # of several equal ones, one is kept
        else:
            steps.append(node)
    makers = {value["name"]: f"input {value['name']}" for value in graph["input"] if value.get("name") not in weights}
    nodes = [GraphNode("input", name, ()) for name in makers.values()]
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    for i, node in enumerate(steps):
        step = _step(node, f"{i} {node.get('name', '')}", makers, weights)
        if step.op != "bias":
            ranks[step.op] = ranks.get(step.op, -1) + 1
        owner = "linear" if step.op == "bias" else step.op  # MatMul and Add are a linear layer's weight and bias
        layer = f"{owner}.{ranks.get(owner, 0)}"
        for name, key in _weights_of(node, weights):
            tensors[f"{layer}.{name}"] = _tensor(path, key, weights[key], node, name)
        nodes.append(dataclasses.replace(step, weights=(layer,)))
        makers |= dict.fromkeys(node["output"], step.name)
    facts = {entry.get("key", ""): entry.get("value", "") for entry in model["metadata"]}
    stated = stated_semantics(path, facts)
    return Checkpoint(
        str(path), "onnx", tensors, metadata=facts, semantics=stated, graph=tuple(nodes), hints=_training(graph)
    )


def _training(graph: dict[str, Any]) -> tuple[str, ...]:
    """What there is to say of a network that was exported to be trained, which keeps its norms whole."""
    norms = (attribute for node in graph["node"] for attribute in node["attribute"])
    trains = any(attribute.get("name") == "training_mode" and attribute.get("i", 0) for attribute in norms)
    return ("the file's norms are in training mode; densezoo's use the running statistics",) if trains else ()


def _weights_of(node: dict[str, Any], weights: dict[str, Any]) -> list[tuple[str, str]]:
    if node.get("op") == "Add":
        return [("bias", key) for key in node["input"] if key in weights]
    _, names = _OPERATIONS.get(node.get("op", ""), ("", ()))
    return [(name, key) for name, key in zip(names, node["input"][1:]) if key in weights]


def _step(node: dict[str, Any], name: str, makers: dict[str, str], weights: dict[str, Any]) -> GraphNode:
    kind = node.get("op", "")
    raw = {attribute.get("name", ""): attribute for attribute in node["attribute"]}
    inputs = tuple(makers[key] for key in node["input"] if key in makers)
    attributes: dict[str, Any] = {
        new: tuple(raw[old]["ints"]) for old, new in _WINDOWS.items() if raw.get(old, {}).get("ints")
    }
    attributes |= {"groups": raw["group"].get("i", 1)} if "group" in raw else {}
    op = _RESHAPES.get(kind) or _OPERATIONS.get(kind, (kind, ()))[0]
    if kind == "Add" and len(inputs) == 1:
        op = "bias"
    if raw.get("auto_pad", {}).get("s", "NOTSET") not in ("NOTSET", "VALID"):
        op = f"{kind} with auto_pad"
    if kind == "Gemm" and (
        raw.get("transA", {}).get("i", 0) or any(raw.get(k, {}).get("f", 1.0) != 1.0 for k in ("alpha", "beta"))
    ):
        op = "Gemm with transA, alpha or beta"
    if kind == "ReduceMean" and not _over_the_map(node, raw, weights):
        op = "ReduceMean over other axes than the map's"
    if op == "softmax" and raw.get("axis", {}).get("i", 1) not in (1, -1):
        op = f"{kind} over axis {raw['axis']['i']}"
    if op == "norm":
        attributes["eps"] = raw.get("epsilon", {}).get("f", 1e-5)
    if op.endswith("pool"):
        attributes["ceil_mode"] = bool(raw.get("ceil_mode", {}).get("i", 0))
        attributes["count_include_pad"] = bool(raw.get("count_include_pad", {}).get("i", 0))
    if op == "concat":
        attributes["axis"] = raw.get("axis", {}).get("i", 0)
    return GraphNode(op, name, inputs, attributes)


def _over_the_map(node: dict[str, Any], raw: dict[str, Any], weights: dict[str, Any]) -> bool:
    """Whether a ReduceMean is over height and width."""
    axes = raw.get("axes", {}).get("ints") or None
    if axes is None and len(node["input"]) > 1 and node["input"][1] in weights:
        tensor = weights[node["input"][1]]
        data = bytes(tensor["raw_data"].read()) if "raw_data" in tensor else b""
        axes = tensor["int64_data"] or [
            int.from_bytes(data[i : i + 8], "little", signed=True) for i in range(0, len(data), 8)
        ]
    return axes in ([2, 3], [-2, -1], [-1, -2])


def _tensor(path: Path, key: str, stored: dict[str, Any], node: dict[str, Any], name: str) -> Tensor:
    what = f"{path}: {key}"
    if stored.get("location", 0) or stored["external_data"]:
        raise FormatError(f"{what}: its numbers are in another file (external data); save the model as one file")
    dtype, shape = _DTYPES.get(stored.get("dtype", 0)), stored["dims"]
    if dtype is None:
        raise FormatError(f"{what}: is of ONNX's data type {stored.get('dtype', 0)}; expected numbers")
    data = stored.get("raw_data", stored.get("float_data", b""))
    if any(side < 0 for side in shape) or prod(shape) * item_size(dtype) != len(data):
        raise FormatError(f"{what}: shape {tuple(shape)} of {dtype} and {len(data):,} bytes don't fit together")
    tensor = to_tensor(data, dtype, shape, what)
    transposed = any(a.get("name") == "transB" and a.get("i") for a in node["attribute"])
    stands_transposed = name == "weight" and node.get("op") in ("Gemm", "MatMul") and not transposed
    return tensor.t() if stands_transposed and tensor.ndim == 2 else tensor
