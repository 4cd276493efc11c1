"""MXNet's ``.params``: src/ndarray/ndarray.cc (NDArray::Save), and the ``-symbol.json`` beside it, if there is one."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, Bytes, cut, item_size, open_file, to_tensor
from densezoo.formats.containers.json import parse_json
from densezoo.formats.limits import MAX_JSON, MAX_TENSORS
from densezoo.types import Checkpoint, JsonObject, Node
from densezoo.types.computation import Attributes, Side

LIST_MAGIC = b"\x12\x01\0\0\0\0\0\0" + b"\0" * 8
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DTYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "?", 12: BFLOAT16}
MAX_DIMENSIONS = 8

_TUPLES: Mapping[str, Side] = {"kernel": "kernel", "stride": "stride", "dilate": "dilation"}
#: {(operation, attribute): its values that mean what densezoo takes the operation for}; the first is the default.
_PLAIN = {
    ("Dropout", "mode"): ("training",),
    ("Pooling", "pooling_convention"): ("valid", "full"),
    ("Pooling", "layout"): ("NCHW", "None"),
    ("Convolution", "layout"): ("NCHW", "None"),
    ("BatchNorm", "axis"): ("1",),
    ("FullyConnected", "no_bias"): ("False", "0", "false"),
}
_FLAGS = {"True": True, "1": True, "true": True}


class _Cursor:
    """Reads the file from its start on; refuses to read beyond its end."""

    def __init__(self, data: Bytes) -> None:
        self.path, self.data, self.position = data.path, data, len(LIST_MAGIC)

    def take(self, size: int, subject: str) -> Bytes:
        if size > len(self.data) - self.position:
            raise FormatError(
                f"{self.path}: at byte {self.position:,}: {subject} should take {size:,} bytes; there are "
                f"{len(self.data) - self.position:,}; the file is broken or truncated"
            )
        start, self.position = self.position, self.position + size
        return cut(self.data, start, size, subject)

    def number(self, kind: str, subject: str) -> int:
        value: int = struct.unpack(f"<{kind}", self.take(struct.calcsize(kind), subject).read())[0]
        return value


def read_mxnet(data: Bytes) -> Checkpoint:
    """Every array of the file, its name without the prefixes ``arg:`` and ``aux:``.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated; sparse arrays; a symbol file that can't be read.
    """
    path, cursor = data.path, _Cursor(data)
    count = cursor.number("Q", "the number of arrays")
    if count * 8 > len(cursor.data) or count > MAX_TENSORS:
        raise FormatError(f"{path}: at byte 16: {count:,} arrays in a file of {len(cursor.data):,} bytes")
    arrays = [_array(cursor, i) for i in range(count)]
    names = cursor.number("Q", "the number of names")
    if names != count:
        raise FormatError(f"{path}: {count:,} arrays and {names:,} names; expected one name each")
    tensors = {}
    for array in arrays:
        stored = cursor.take(cursor.number("Q", "a name's length"), "a name")
        name = bytes(stored.read()).decode("utf-8", "replace")
        tensors[re.sub(r"^(arg|aux):", "", name)] = array
    symbol = _symbol_path(path)
    graph = _read_symbol(symbol) if symbol else ()
    hints = (f"computation: from {symbol.name} beside the file",) if symbol else ()
    return Checkpoint(str(path), "mxnet", tensors, graph=graph, hints=hints)


def _array(cursor: _Cursor, i: int) -> Tensor:
    subject = f"array {i}"
    magic = cursor.number("I", subject)
    if magic in (_V2, _V3):
        storage = cursor.number("i", subject)
        if storage != 0:
            raise FormatError(f"{cursor.path}: at byte {cursor.position:,}: {subject} is sparse (storage {storage})")
    dimensions = cursor.number("I", subject) if magic in (_V1, _V2, _V3) else magic  # before V1: the shape comes first
    if dimensions > MAX_DIMENSIONS:
        raise FormatError(f"{cursor.path}: at byte {cursor.position:,}: {subject} has {dimensions:,} dimensions")
    side = "q" if magic in (_V1, _V2, _V3) else "I"
    shape = [cursor.number(side, subject) for _ in range(dimensions)]
    cursor.take(8, f"{subject}: its device")
    dtype = _DTYPES.get(cursor.number("i", subject))
    if dtype is None or any(length < 0 for length in shape):
        raise FormatError(f"{cursor.path}: at byte {cursor.position:,}: {subject} is no dense array of numbers")
    size = item_size(dtype) * prod(shape)
    return to_tensor(cursor.take(size, subject), dtype, shape, f"{cursor.path}: {subject}")


def _symbol_path(path: Path) -> Path | None:
    """``net-symbol.json`` beside ``net-0000.params`` or ``net.params``."""
    stem = re.sub(r"-\d{4}$", "", path.stem)
    beside = path.with_name(f"{stem}-symbol.json")
    return beside if beside.is_file() else None


def _read_symbol(path: Path) -> tuple[Node, ...]:
    """The computation in the terms of `densezoo.types.Node`."""
    try:
        with open_file(path) as data:
            text = bytes(cut(data, 0, min(len(data), MAX_JSON + 1), "its text").read())
        nodes = parse_json(text, str(path))["nodes"]
        steps = [node for node in nodes if node["op"] != "null" or _is_input(node["name"])]
        names = {i: node["name"] for i, node in enumerate(nodes) if node["op"] != "null" or _is_input(node["name"])}
        weights = {i: node["name"] for i, node in enumerate(nodes) if i not in names}
        return tuple(
            _node(node, *([known[i] for i, *_ in node["inputs"] if i in known] for known in (names, weights)))
            for node in steps
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: not the description of an MXNet network ({error!r:.120})") from None


def _is_input(name: str) -> bool:
    return re.fullmatch(r"data\d*", name) is not None


def _node(node: JsonObject, inputs: list[str], weights: list[str]) -> Node:
    raw: dict[str, str] = node.get("attrs") or node.get("param") or node.get("attr") or {}
    attributes: Attributes = {}
    for old, new in _TUPLES.items():
        if old in raw:
            attributes[new] = _sides(raw[old])
    op = _operation(node["op"], raw)
    if "pad" in raw:
        attributes["pads"] = _sides(raw["pad"]) * 2
    if op == "norm":
        attributes["eps"] = float(raw.get("eps", "1e-3"))
        attributes["fixed_scale"] = _FLAGS.get(raw.get("fix_gamma", "True"), False)
    if op.endswith("pool"):
        attributes["ceil_mode"] = raw.get("pooling_convention", "valid") == "full"
        attributes["count_include_pad"] = _FLAGS.get(raw.get("count_include_pad", "True"), False)
    if "num_group" in raw:
        attributes["groups"] = int(raw["num_group"])
    if op == "concat":
        attributes["axis"] = int(raw.get("dim", "1"))
    return Node(op, node["name"], tuple(inputs), attributes, tuple(weights))


def _sides(text: str) -> tuple[int, ...]:
    """The numbers of ``(3, 3)``."""
    if not re.fullmatch(r"[(\[][\d, ]*[)\]]", text):
        raise ValueError(f"{text:.40} is no list of sides")
    return tuple(int(side) for side in re.findall(r"\d+", text))


def _operation(op: str, raw: dict[str, str]) -> str:
    if op == "null":
        return "input"
    for (name, attribute), plain in _PLAIN.items():
        if op == name and str(raw.get(attribute, plain[0])) not in plain:
            return f"{op} with {attribute} {raw[attribute]}"
    if op == "Activation":
        return raw.get("act_type", "activation")
    if op == "Pooling":
        kind = raw.get("pool_type", "max")
        return f"global_{kind}_pool" if _FLAGS.get(raw.get("global_pool", "False")) else f"{kind}_pool"
    return {
        "Convolution": "conv", "BatchNorm": "norm", "Concat": "concat", "Flatten": "flatten",
        "FullyConnected": "linear", "SoftmaxOutput": "softmax", "softmax": "softmax", "Dropout": "identity",
        "_copy": "identity",
    }.get(op, op)  # fmt: skip
