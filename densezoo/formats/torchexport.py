"""``torch.export.save`` archives (``.pt2``): raw weights and a graph in JSON (torch/_export/serde/schema.py).

Nothing in them is executed; a sample input or a custom object, which would be pickled, is not read.
"""

from __future__ import annotations

import json
from math import prod
from typing import Any

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.archive import Archive
from densezoo.formats.binary import BFLOAT16, cut, item_size, to_tensor
from densezoo.types import Checkpoint, GraphNode

MAX_GRAPH = 64 << 20
_DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?", 13: BFLOAT16}
_OPERATIONS = {
    "conv2d": "conv", "convolution": "conv", "batch_norm": "norm", "_native_batch_norm_legit_no_training": "norm",
    "relu": "relu", "relu_": "relu", "max_pool2d": "max_pool", "avg_pool2d": "avg_pool", "cat": "concat",
    "adaptive_avg_pool2d": "global_avg_pool", "flatten": "flatten", "view": "flatten", "linear": "linear",
    "dropout": "identity", "dropout_": "identity", "softmax": "softmax", "clone": "identity",
}  # fmt: skip
_WINDOWS = {"kernel_size": "kernel", "stride": "stride", "dilation": "dilation", "padding": "pads"}


def read_torchexport(archive: Archive, root: str) -> Checkpoint:
    """The parameters and buffers of an exported program, and its steps.

    Raises:
        FormatError: broken; weights that are pickled; a graph that is no list of known steps.
    """
    where = str(archive.path)
    try:
        described = _json(archive, f"{root}/data/weights/model_weights_config.json")["config"]
        tensors = {name: _tensor(archive, root, name, entry) for name, entry in described.items()}
        graph = _json(archive, f"{root}/models/model.json")["graph_module"]["graph"]
        return Checkpoint(where, "torch-export", tensors, graph=_graph(graph))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{where}: not an exported program of a version densezoo reads ({error!r:.120})") from None


def _json(archive: Archive, name: str) -> Any:
    data = archive.read(name)
    if len(data) > MAX_GRAPH:
        raise FormatError(f"{archive.path}: {name} takes {len(data):,} bytes; no DenseNet's does")
    return json.loads(bytes(data))


def _tensor(archive: Archive, root: str, name: str, entry: dict[str, Any]) -> Tensor:
    what = f"{archive.path}: {name}"
    if entry["use_pickle"]:
        raise FormatError(f"{what}: is pickled; save the program with a newer torch")
    meta = entry["tensor_meta"]
    dtype = _DTYPES.get(meta["dtype"])
    shape, strides = ([side["as_int"] for side in meta[key]] for key in ("sizes", "strides"))
    contiguous = [prod(shape[i + 1 :]) for i in range(len(shape))]
    if dtype is None or any(a != b for a, b, side in zip(strides, contiguous, shape) if side > 1):
        raise FormatError(f"{what}: is no contiguous array of numbers")
    data = archive.read(f"{root}/data/weights/{entry['path_name']}")
    if min(shape, default=0) < 0:
        raise FormatError(f"{what}: has a side of {min(shape)}")
    start = meta["storage_offset"]["as_int"] * item_size(dtype)
    return to_tensor(cut(data, start, prod(shape) * item_size(dtype), what), dtype, shape, what)


def _graph(graph: dict[str, Any]) -> tuple[GraphNode, ...]:
    nodes = [
        GraphNode("input", argument["as_tensor"]["name"], ())
        for argument in graph["inputs"]
        if "as_tensor" in argument and not argument["as_tensor"]["name"].startswith(("p_", "b_", "c_"))
    ]
    known = {node.name for node in nodes}
    for node in graph["nodes"]:
        step = _step(node, known)
        known.add(step.name)
        nodes.append(step)
    return tuple(nodes)


def _step(node: dict[str, Any], known: set[str]) -> GraphNode:
    arguments = {argument["name"]: argument["arg"] for argument in node["inputs"]}
    values: dict[str, Any] = {name: next(iter(argument.values()), None) for name, argument in arguments.items()}
    tensors = [
        value["name"]
        for kind, value in ((kind, value) for argument in arguments.values() for kind, value in argument.items())
        if kind == "as_tensor"
    ] + [tensor["name"] for argument in arguments.values() for tensor in argument.get("as_tensors", [])]
    kind = node["target"].removeprefix("torch.ops.aten.").partition(".")[0]
    op = _OPERATIONS.get(kind, node["target"])
    attributes: dict[str, Any] = {new: tuple(values[old]) for old, new in _WINDOWS.items() if values.get(old)}
    if "pads" in attributes:
        attributes["pads"] = attributes["pads"] * 2
    if op == "norm":
        attributes["eps"] = values["eps"]
    if op == "concat":
        attributes["axis"] = values.get("dim", 0)
    if op.endswith("pool"):
        attributes["ceil_mode"] = bool(values.get("ceil_mode", False))
    if op == "global_avg_pool" and list(values["output_size"]) != [1, 1]:
        op = "adaptive_avg_pool2d to more than one pixel"
    name = node["outputs"][0].get("as_tensor", {}).get("name") or node["outputs"][0]["as_tensors"][0]["name"]
    return GraphNode(
        op, name, tuple(name for name in tensors if name in known), attributes | {"groups": values.get("groups", 1)}
    )
