"""Caffe2's ``init_net.pb`` (caffe2/proto/caffe2.proto, NetDef): operators that fill tensors with numbers."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import SMALL, Bytes, cut, to_tensor, without_numbers
from densezoo.formats.containers.protobuf import Message, MessageReader, Table, first_bytes
from densezoo.formats.limits import MAX_TENSORS
from densezoo.types import Checkpoint

_OPERATOR: Table = {1: ("input*", "text"), 2: ("output*", "text"), 4: ("type", "text"), 5: ("arg*", "bytes")}
_NETWORK: Table = {2: ("op*", _OPERATOR)}
_SHAPE: Table = {6: ("ints*", "ints")}
FILL = "GivenTensorFill"
#: A number of Argument.floats, which is not packed: its key (field 5, four bytes), then the number.
_NUMBER = np.dtype([("key", "u1"), ("value", "<f4")])
_NUMBER_KEY, _PACKED_KEY = 0x2D, 0x2A


def looks_like_caffe2(head: bytes, size: int) -> bool:
    """Whether the file begins with a network's name or an operator, and that fills a tensor or convolves.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    return head[:1] in (b"\x0a", b"\x12") and any(
        b'"' + bytes([len(kind)]) + kind in head for kind in (FILL.encode(), b"Conv", b"ConstantFill")
    )


def read_caffe2(data: Bytes) -> Checkpoint:
    """Every tensor that the network fills with numbers of its own.

    Raises:
        FormatError: broken or truncated; a network that is run, without its weights.
    """
    path, network = data.path, MessageReader(data).parse(_NETWORK)
    fills = [operator for operator in network["op"] if operator.get("type") == FILL and len(operator["output"]) == 1]
    if not fills or len(fills) > MAX_TENSORS:
        raise FormatError(
            f"{path}: a Caffe2 network of {len(network['op']):,} operators, {len(fills):,} of which hold weights; "
            "expected init_net.pb, which stands beside predict_net.pb"
        )
    tensors = {operator["output"][0]: _tensor(operator, f"{path}: {operator['output'][0]}") for operator in fills}
    others = len(network["op"]) - len(fills)
    return Checkpoint(str(path), "caffe2", tensors, {"operator without numbers": others} if others else {})


def _tensor(operator: Message, what: str) -> Tensor:
    arguments = {_name(argument): argument for argument in operator["arg"]}
    if not {"shape", "values"} <= arguments.keys():
        raise FormatError(f"{what}: expected the arguments shape and values; found {', '.join(arguments)}")
    part = arguments["shape"]
    shape = MessageReader(part).parse(_SHAPE)["ints"]
    values = arguments["values"]
    start, count = 2 + len("values"), prod(shape)
    if any(side < 0 for side in shape) or count > len(values):
        raise FormatError(f"{what}: of the shape {tuple(shape)}, with {len(values):,} bytes")
    if len(values) - start != _NUMBER.itemsize * count:
        return _packed(values, start, shape, what)
    if values.opened.shapes_only and len(values) > SMALL:
        return without_numbers("<f4", shape)
    records = np.frombuffer(cut(values, start, len(values) - start, what).read(), _NUMBER)
    if (records["key"] != _NUMBER_KEY).any():
        raise FormatError(f"{what}: expected numbers of four bytes each after its name; broken")
    return torch.from_numpy(records["value"].astype("=f4")).reshape(shape)


def _packed(values: Bytes, start: int, shape: list[int], what: str) -> Tensor:
    """The same of numbers that stand in one field."""
    begin = len(values) - 4 * prod(shape)
    head = bytes(cut(values, start, begin - start, what).read()) if start < begin < start + 12 else b""
    if head[:1] != bytes([_PACKED_KEY]):
        raise FormatError(f"{what}: expected {prod(shape):,} numbers; found {len(values) - start:,} bytes of others")
    return to_tensor(cut(values, begin, len(values) - begin, what), "<f4", shape, what)


def _name(argument: Bytes) -> str:
    head = bytes(cut(argument, 0, min(len(argument), 64), "an argument").read())
    return first_bytes(head).decode("latin1") if head[:1] == b"\x0a" else ""
