"""ONNX files: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3, read as a list of steps with their weights.

Exporters rename and merge weights, so a tensor's name here is the kind of its step and its number among the steps of
that kind: ``conv.0.weight``, ``norm.3.running_var``. A family compares the steps with its networks'.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes
from densezoo.formats.containers.protobuf import Message, MessageReader, Table
from densezoo.formats.limits import MAX_STEPS, MAX_TENSORS
from densezoo.formats.onnx.constants import Constant, folded, stored_constant
from densezoo.formats.safetensors import stated_semantics
from densezoo.types import Checkpoint, Node
from densezoo.types.computation import Attributes, Side

_TENSOR: Table = {
    1: ("dims*", "ints"), 2: ("dtype", "int"), 4: ("float_data", "bytes"), 7: ("int64_data*", "ints"),
    8: ("name", "text"), 9: ("raw_data", "bytes"), 13: ("external_data*", "bytes"), 14: ("location", "int"),
}  # fmt: skip
_ATTRIBUTE: Table = {
    1: ("name", "text"), 2: ("f", "float"), 3: ("i", "int"), 4: ("s", "text"), 5: ("t", _TENSOR), 8: ("ints*", "ints"),
}  # fmt: skip
_NODE: Table = {
    1: ("input*", "text"), 2: ("output*", "text"), 3: ("name", "text"), 4: ("op", "text"),
    5: ("attribute*", _ATTRIBUTE),
}  # fmt: skip
_GRAPH: Table = {
    1: ("node*", _NODE), 5: ("initializer*", _TENSOR), 11: ("input*", {1: ("name", "text")}),
    12: ("output*", {1: ("name", "text")}),
}  # fmt: skip
_MODEL: Table = {
    1: ("ir_version", "int"), 7: ("graph", _GRAPH), 14: ("metadata*", {1: ("key", "text"), 2: ("value", "text")}),
}  # fmt: skip

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
_WINDOWS: Mapping[str, Literal[Side, "pads"]] = {
    "kernel_shape": "kernel", "strides": "stride", "dilations": "dilation", "pads": "pads",
}  # fmt: skip


def looks_like_onnx(head: bytes, size: int) -> bool:
    """Whether the file begins with a version of ONNX's format (field 1, a small number).

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    return head[:1] == b"\x08" and len(head) > 2 and 3 <= head[1] <= 20 and head[2] & 7 in (0, 2)


def read_onnx(data: Bytes) -> Checkpoint:
    """The steps and their weights.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated; weights in other files; more steps or tensors than a network has.
    """
    path, model = data.path, MessageReader(data).parse(_MODEL)
    graph = model.get("graph")
    if graph is None:
        raise FormatError(f"{path}: an ONNX file by its first bytes, but without a graph; broken or truncated")
    if len(graph["node"]) > MAX_STEPS or len(graph["initializer"]) > MAX_TENSORS:
        sizes = f"{len(graph['node']):,} steps and {len(graph['initializer']):,} tensors"
        raise FormatError(f"{path}: a network of {sizes}; expected at most {MAX_STEPS:,} and {MAX_TENSORS:,}")
    steps = _GraphSteps(graph, str(path))
    for node in graph["node"]:
        steps.add(node)
    facts = {entry.get("key", ""): entry.get("value", "") for entry in model["metadata"]}
    return Checkpoint(
        str(path),
        "onnx",
        steps.tensors,
        metadata=facts,
        semantics=stated_semantics(path, facts),
        graph=tuple(steps.nodes),
        hints=_training(graph),
    )


class _GraphSteps:
    """Collects the steps that depend on the image, and their weights.

    Args:
        graph: a GraphProto.
        path: the file, for messages.
    """

    def __init__(self, graph: Message, path: str) -> None:
        self.path = path
        self.constants = {tensor.get("name", ""): stored_constant(tensor) for tensor in graph["initializer"]}
        inputs = [value["name"] for value in graph["input"] if value.get("name", "") not in self.constants]
        self.makers = {name: f"input {name}" for name in inputs}
        self.nodes = [Node("input", name, ()) for name in self.makers.values()]
        self.tensors: dict[str, Tensor] = {}
        self.ranks: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}  # {step: what it is}
        self.norms: dict[str, str] = {}  # {a norm's result: the norm's name}
        self.uses = Counter(name for node in graph["node"] for name in node["input"])
        self.uses.update(value.get("name", "") for value in graph["output"])

    def add(self, node: Message) -> None:
        """Add one step, or the constant that it computes.

        Args:
            node: a NodeProto.

        Raises:
            FormatError: a weight is in another file, or is no numbers.
        """
        constant = folded(node, self.constants)
        if constant is not None:
            self.constants |= dict.fromkeys(node["output"], constant)
        elif not self._scaled(node):
            step = _step(node, f"{len(self.nodes)} {node.get('name', '')}", self.makers, self.constants)
            layer = self._layer(step)
            for name, key in _weights_of(node, self.constants):
                tensor = _oriented(self.constants[key].tensor(f"{self.path}: {key}"), node, name)
                if (
                    (step.op, name) != ("conv", "bias")
                    or layer.startswith("linear")
                    or (not tensor.is_meta and tensor.any())
                ):
                    self.tensors[f"{layer}.{name}"] = tensor
            self.nodes.append(dataclasses.replace(step, weights=(layer,)))
            self.makers |= dict.fromkeys(node["output"], step.name)
            self.kinds[step.name] = step.op
            self.norms |= dict.fromkeys(node["output"][:1] if step.op == "norm" else [], layer)

    def _layer(self, step: Node) -> str:
        """The kind and number under which a step's weights are named; a convolution may be the classifier."""
        if step.op == "bias":  # MatMul and Add are a linear layer's weight and bias
            return f"linear.{max(0, self.ranks['linear'] - 1)}"
        after = [self.kinds.get(name) for name in step.inputs]
        kind = "linear" if step.op == "conv" and after == ["global_avg_pool"] else step.op
        self.ranks[kind] += 1
        return f"{kind}.{self.ranks[kind] - 1}"

    def _scaled(self, node: Message) -> bool:
        """Whether the step multiplies a norm's channels or adds to them; if so, it becomes a part of the norm."""
        layer = next((self.norms[name] for name in node["input"] if name in self.norms), None)
        operands = [name for name in node["input"] if name not in self.norms]
        if layer is None or node.get("op") not in ("Mul", "Add") or len(node["input"]) != 2 or len(operands) != 1:
            return False
        norm = next(name for name in node["input"] if name in self.norms)
        names, constant = [f"{layer}.weight", f"{layer}.bias"], self.constants.get(operands[0])
        if constant is None or self.uses[norm] != 1 or not all(name in self.tensors for name in names):
            return False
        channels = self.tensors[names[0]].numel()
        if constant.shape not in ((channels, 1, 1), (1, channels, 1, 1)):
            return False
        factor = constant.tensor(f"{self.path}: {operands[0]}").reshape(-1)
        for name in names if node["op"] == "Mul" else names[1:]:
            old = self.tensors[name]
            self.tensors[name] = old * factor if node["op"] == "Mul" else old + factor
        self.makers |= dict.fromkeys(node["output"], self.makers[norm])
        self.norms |= dict.fromkeys(node["output"], layer)
        return True


def _training(graph: Message) -> tuple[str, ...]:
    """The hint for a network that was exported in training mode, which keeps its norms unfolded; else nothing."""
    norms = (attribute for node in graph["node"] for attribute in node["attribute"])
    trains = any(attribute.get("name") == "training_mode" and attribute.get("i", 0) for attribute in norms)
    return ("the file's norms are in training mode; densezoo's use the running statistics",) if trains else ()


def _weights_of(node: Message, constants: Mapping[str, Constant]) -> list[tuple[str, str]]:
    if node.get("op") == "Add":
        return [("bias", key) for key in node["input"] if key in constants]
    _, names = _OPERATIONS.get(node.get("op", ""), ("", ()))
    return [(name, key) for name, key in zip(names, node["input"][1:]) if key in constants]


def _step(node: Message, name: str, makers: Mapping[str, str], constants: Mapping[str, Constant]) -> Node:
    kind = node.get("op", "")
    raw = {attribute.get("name", ""): attribute for attribute in node["attribute"]}
    inputs = tuple(makers[key] for key in node["input"] if key in makers)
    attributes: Attributes = {}
    for old, new in _WINDOWS.items():
        if raw.get(old, {}).get("ints"):
            attributes[new] = tuple(raw[old]["ints"])
    if "group" in raw:
        attributes["groups"] = raw["group"].get("i", 1)
    op = _RESHAPES.get(kind) or _OPERATIONS.get(kind, (kind, ()))[0]
    if kind == "Add" and len(inputs) == 1:
        op = "bias"
    if raw.get("auto_pad", {}).get("s", "NOTSET") not in ("NOTSET", "VALID"):
        op = f"{kind} with auto_pad"
    if kind == "Gemm" and (
        raw.get("transA", {}).get("i", 0) or any(raw.get(k, {}).get("f", 1.0) != 1.0 for k in ("alpha", "beta"))
    ):
        op = "Gemm with transA, alpha or beta"
    if kind == "ReduceMean" and not _over_the_map(node, raw, constants):
        op = "ReduceMean over other axes than the map's"
    if op == "softmax" and raw.get("axis", {}).get("i", 1) not in (1, -1):
        op = f"{kind} over axis {raw['axis']['i']}"
    if op == "norm":
        attributes["eps"] = raw.get("epsilon", {}).get("f", 1e-5)
    if op.endswith("pool"):
        attributes["ceil_mode"] = bool(raw.get("ceil_mode", {}).get("i", 0))
        attributes["count_include_pad"] = bool(raw.get("count_include_pad", {}).get("i", 0))
    if kind == "Reshape":
        attributes |= _columns(node, constants)
    if op == "concat":
        attributes["axis"] = raw.get("axis", {}).get("i", 0)
    return Node(op, name, inputs, attributes)


def _columns(node: Message, constants: Mapping[str, Constant]) -> Attributes:
    """How many numbers a Reshape puts into a row, if it computes the number of rows itself."""
    shape = constants.get(node["input"][1]) if len(node["input"]) > 1 else None
    with contextlib.suppress(ValueError):
        sides = shape.numbers() if shape is not None else ()
        return {"columns": sides[1]} if len(sides) == 2 and sides[0] == -1 != sides[1] else {}
    return {}


def _over_the_map(node: Message, raw: Message, constants: Mapping[str, Constant]) -> bool:
    """Whether a ReduceMean is over height and width."""
    axes = raw.get("axes", {}).get("ints") or None
    if axes is None and len(node["input"]) > 1 and node["input"][1] in constants:
        with contextlib.suppress(ValueError):
            axes = constants[node["input"][1]].numbers()
    return sorted(axes or ()) in ([2, 3], [-2, -1])


def _oriented(tensor: Tensor, node: Message, name: str) -> Tensor:
    """A linear layer's weight with its outputs first; any other as it is."""
    transposed = any(a.get("name") == "transB" and a.get("i") for a in node["attribute"])
    stands_transposed = name == "weight" and node.get("op") in ("Gemm", "MatMul") and not transposed
    return tensor.t() if stands_transposed and tensor.ndim == 2 else tensor
