"""Caffe's ``.caffemodel`` (src/caffe/proto/caffe.proto, NetParameter) and the prototxt beside it, if there is one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, to_tensor
from densezoo.formats.caffe.prototxt import read_prototxt
from densezoo.formats.containers.protobuf import Message, MessageReader, Table, first_bytes
from densezoo.formats.limits import MAX_STEPS
from densezoo.types import Checkpoint, Node
from densezoo.types.computation import Attributes

_BLOB: Table = {
    1: ("num", "int"), 2: ("channels", "int"), 3: ("height", "int"), 4: ("width", "int"),
    5: ("data", "bytes"), 7: ("shape", {1: ("dim*", "ints")}), 8: ("double_data", "bytes"),
}  # fmt: skip
_CONVOLUTION: Table = {
    2: ("bias_term", "int"), 3: ("pad*", "ints"), 4: ("kernel_size*", "ints"), 5: ("group", "int"),
    6: ("stride*", "ints"), 18: ("dilation*", "ints"), 9: ("pad_h", "int"), 10: ("pad_w", "int"),
    11: ("kernel_h", "int"), 12: ("kernel_w", "int"), 13: ("stride_h", "int"), 14: ("stride_w", "int"),
}  # fmt: skip
# field 13 is "round_mode" in BVLC's Caffe and "ceil_mode" in others, with opposite values: the prototxt tells; absent,
# it means ceil mode in all
_POOLING: Table = {
    1: ("pool", "int"), 2: ("kernel_size", "int"), 3: ("stride", "int"), 4: ("pad", "int"),
    5: ("kernel_h", "int"), 6: ("kernel_w", "int"), 7: ("stride_h", "int"), 8: ("stride_w", "int"),
    9: ("pad_h", "int"), 10: ("pad_w", "int"), 12: ("global_pooling", "int"), 13: ("rounding", "int"),
}  # fmt: skip
_LAYER: Table = {
    1: ("name", "text"), 2: ("type", "text"), 3: ("bottom*", "text"), 4: ("top*", "text"), 7: ("blobs*", _BLOB),
    104: ("concat_param", {2: ("axis", "int")}), 106: ("convolution_param", _CONVOLUTION),
    121: ("pooling_param", _POOLING), 123: ("relu_param", {1: ("negative_slope", "float")}),
    139: ("batch_norm_param", {3: ("eps", "float")}),
}  # fmt: skip
_NETWORK: Table = {1: ("name", "text"), 2: ("layers*", "bytes"), 100: ("layer*", _LAYER)}

_OPERATIONS = {
    "Convolution": "conv", "BatchNorm": "norm", "Scale": "scale", "ReLU": "relu", "Concat": "concat",
    "Flatten": "flatten", "InnerProduct": "linear", "Softmax": "softmax", "Dropout": "identity", "Split": "identity",
    "Input": "input", "Data": "input",
}  # fmt: skip
_LOSSES = ("SoftmaxWithLoss", "Accuracy", "Silence")
_POOLS = {0: "max_pool", 1: "avg_pool", "MAX": "max_pool", "AVE": "avg_pool"}


def looks_like_caffe(head: bytes, size: int) -> bool:
    """Whether the file begins with a network's name (field 1) or a layer (field 100).

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    name = first_bytes(head)[:4]
    return head[:2] == b"\xa2\x06" or (head[:1] == b"\x0a" and len(name) > 0 and name.isascii() and name[:1].isalpha())


def read_caffe(data: Bytes) -> Checkpoint:
    """Every blob of the file, as ``<layer>/<number>``, and the computation.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated; layers of the format before 2014.
    """
    path, network = data.path, MessageReader(data).parse(_NETWORK)
    if not network["layer"]:
        old_layers = "layers of the format before 2014; upgrade it with Caffe's upgrade_net_proto_binary"
        raise FormatError(f"{path}: a Caffe network with {old_layers if network['layers'] else 'no layers'}")
    if len(network["layer"]) > MAX_STEPS:
        raise FormatError(f"{path}: a network of {len(network['layer']):,} layers; expected at most {MAX_STEPS:,}")
    tensors = {
        f"{layer.get('name', '')}/{i}": _blob(blob, f"{path}: blob {i} of {layer.get('name', '')}")
        for layer in network["layer"]
        for i, blob in enumerate(layer["blobs"])
    }
    beside = path.with_suffix(".prototxt")
    if beside.is_file():
        graph = _graph(read_prototxt(beside).get("layer", []))
        steps = {node.name for node in graph}
        undescribed = [
            layer.get("name", "") for layer in network["layer"] if layer["blobs"] and layer.get("name") not in steps
        ]
        if undescribed:
            raise FormatError(
                f"{beside}: has no layer {undescribed[0]!r}, whose weights are in {path.name}; expected all of them"
            )
        return Checkpoint(
            str(path), "caffe", tensors, graph=graph, hints=(f"computation: from {beside.name} beside the file",)
        )
    described = any("pooling_param" in layer for layer in network["layer"])
    graph = _graph(network["layer"]) if described else ()
    return Checkpoint(str(path), "caffe", tensors, graph=graph)


def _blob(blob: Message, error_prefix: str) -> Tensor:
    old = [blob[name] for name in ("num", "channels", "height", "width") if name in blob]
    shape = blob["shape"]["dim"] if "shape" in blob else old
    if "double_data" in blob:
        return to_tensor(blob["double_data"], "<f8", shape, error_prefix)
    return to_tensor(blob.get("data", b""), "<f4", shape, error_prefix)


def _only_value(fields: object, name: str, default: object) -> Any:
    """A field's only value, as the binary reader (a value) or the text reader (a list) gives it."""
    value = fields.get(name, default) if isinstance(fields, dict) else default
    return (value[0] if value else default) if isinstance(value, list) else value


def _graph(layers: list[Message]) -> tuple[Node, ...]:
    """The computation in the terms of `Node`; a layer's output may replace its input."""
    nodes: list[Node] = []
    makers: dict[str, str] = {}
    for layer in layers:
        kind, name = str(_only_value(layer, "type", "")), str(_only_value(layer, "name", ""))
        if kind in _LOSSES:
            continue
        inputs = []
        for bottom in map(str, layer.get("bottom", [])):
            if bottom not in makers:
                makers[bottom] = f"input {bottom}"
                nodes.append(Node("input", makers[bottom], ()))
            inputs.append(makers[bottom])
        nodes.append(_node(layer, kind, name, tuple(inputs)))
        makers.update(dict.fromkeys(map(str, layer.get("top", [])), name))
    return tuple(nodes)


def _node(layer: Message, kind: str, name: str, inputs: tuple[str, ...]) -> Node:
    convolution, pooling, norm, relu = (
        fields if isinstance(fields := _only_value(layer, f"{name}_param", {}), dict) else {}
        for name in ("convolution", "pooling", "batch_norm", "relu")
    )
    attributes: Attributes = {}
    op = _OPERATIONS.get(kind, kind)
    if kind == "Convolution":
        attributes = {**_window(convolution), "groups": _only_value(convolution, "group", 1)}
    elif kind == "Pooling":
        op = _POOLS.get(_only_value(pooling, "pool", 0), "stochastic_pool")
        op = f"global_{op}" if _only_value(pooling, "global_pooling", False) else op
        ceil_mode = None if "rounding" in pooling else _only_value(pooling, "ceil_mode", True)
        ceil_mode = {"FLOOR": False, "CEIL": True}.get(_only_value(pooling, "round_mode", ""), ceil_mode)
        attributes = {**_window(pooling), "ceil_mode": ceil_mode}
    elif kind == "BatchNorm":
        attributes = {"eps": _only_value(norm, "eps", 1e-5)}
        op = op if _only_value(norm, "use_global_stats", True) else "BatchNorm with use_global_stats: false"
    elif kind == "ReLU":
        slope = _only_value(relu, "negative_slope", 0)
        op = f"ReLU with a negative_slope of {slope}" if slope else op
    elif kind == "Concat":
        attributes = {"axis": _only_value(_only_value(layer, "concat_param", {}), "axis", 1)}
    return Node(op, name, inputs, attributes, weights=(name,))


def _window(fields: Message) -> Attributes:
    """Sides as (height, width): one number for both, one each, or <name>_h and <name>_w."""

    def sides(name: str, default: int, short: str) -> tuple[int, int]:
        value = fields.get(name) or default
        values = value if isinstance(value, list) else [value]
        return _only_value(fields, f"{short}_h", values[0]), _only_value(fields, f"{short}_w", values[-1])

    pads = sides("pad", 0, "pad")
    return {
        "kernel": sides("kernel_size", 1, "kernel"), "stride": sides("stride", 1, "stride"),
        "dilation": sides("dilation", 1, "dilation"), "pads": pads * 2,
    }  # fmt: skip
