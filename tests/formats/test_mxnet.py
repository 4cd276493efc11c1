"""MXNet's parameters, array by array, and the symbol file beside them."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from densenet_sources import as_densenet

import densezoo
from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Checkpoint, Node
from densezoo.types.computation import Attributes

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "formats"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"eps": "0.0001"', '"eps": "0.01"', None),
        ('"act_type": "relu"', '"act_type": "tanh"', "expected relu, found tanh"),
        ('"fix_gamma": "False"', '"fix_gamma": "True"', "fix_gamma"),
        ('"pooling_convention": "full"', '"pooling_convention": "valid"', None),
        ('"pooling_convention": "full"', '"pooling_convention": "same"', "found Pooling with pooling_convention same"),
        ('"eps": "0.0001"', '"eps": "0.0001", "axis": "3"', "found BatchNorm with axis 3"),
        ('"num_filter": "32"', '"num_filter": "32", "layout": "NHWC"', "found Convolution with layout NHWC"),
    ],
)
def test_the_symbol_file_is_honoured_or_the_file_refused(
    tmp_path: Path, old: str, new: str, message: str | None
) -> None:
    folder = FOLDER / "mxnet_miraclewkf"
    text = (folder / "densenet-small-symbol.json").read_text()
    assert old in text
    (tmp_path / "densenet-small-symbol.json").write_text(text.replace(old, new))
    (tmp_path / "densenet-small-0000.params").write_bytes((folder / "densenet-small-0000.params").read_bytes())
    if message is not None:
        with pytest.raises(CheckpointError, match=message):
            densezoo.load_checkpoint(tmp_path / "densenet-small-0000.params")
        return
    _, report = densezoo.load_checkpoint(tmp_path / "densenet-small-0000.params")
    arch = as_densenet(report.architecture)
    assert (arch.bn_eps, arch.ceil_mode) != (1e-4, True)


def array(*sides: int, version: int = 2, dtype: int = 0, storage: int = 0, data: bytes | None = None) -> bytes:
    """An array of zeros in one of MXNet's versions of the format; before the first, the sides have no magic."""
    head = {0: b"", 1: struct.pack("<I", 0xF993FAC8), 2: struct.pack("<Ii", 0xF993FAC9, storage)}[version]
    head += struct.pack(f"<I{len(sides)}{'q' if version else 'I'}", len(sides), *sides) + struct.pack(
        "<iii", 1, 0, dtype
    )
    return head + (bytes(4 * prod(sides)) if data is None else data)


def params(*arrays: bytes, names: tuple[bytes, ...] = (b"arg:w", b"aux:v")) -> bytes:
    content = struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays) + struct.pack("<Q", len(names))
    return content + b"".join(struct.pack("<Q", len(name)) + name for name in names)


def read(path: Path, content: bytes) -> Checkpoint:
    path.write_bytes(content)
    return read_checkpoint(path)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_arrays_of_every_version(tmp_path: Path, version: int) -> None:
    numbers = struct.pack("<6f", *range(6))
    tensors = read(
        tmp_path / "m", params(array(2, 3, version=version, data=numbers), array(1, version=version))
    ).tensors
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {"w": [[0, 1, 2], [3, 4, 5]], "v": [0]}


@pytest.mark.parametrize(
    ("number", "data", "expected"),
    [
        (1, struct.pack("<d", 1.5), torch.tensor([1.5], dtype=torch.float64)),
        (2, struct.pack("<e", 1.5), torch.tensor([1.5], dtype=torch.float16)),
        (3, b"\xff", torch.tensor([255], dtype=torch.uint8)),
        (4, struct.pack("<i", -2), torch.tensor([-2], dtype=torch.int32)),
        (5, b"\xff", torch.tensor([-1], dtype=torch.int8)),
        (6, struct.pack("<q", -2), torch.tensor([-2])),
        (7, b"\1", torch.tensor([True])),
        (12, b"\xc0\x3f", torch.tensor([1.5], dtype=torch.bfloat16)),
    ],
)
def test_types_of_numbers(tmp_path: Path, number: int, data: bytes, expected: torch.Tensor) -> None:
    (tensor,) = read(tmp_path / "m", params(array(1, dtype=number, data=data), names=(b"w",))).tensors.values()
    assert tensor.dtype == expected.dtype
    assert tensor.equal(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (params(array(1, storage=1), names=(b"w",)), "at byte 32: array 0 is sparse (storage 1)"),
        (params(array(1, dtype=8), names=(b"w",)), "array 0 is no dense array of numbers"),
        (params(array(*[1] * 9), names=(b"w",)), "at byte 36: array 0 has 9 dimensions"),
        (params(array(1)), "1 arrays and 2 names; expected one name each"),
        (params(array(1), names=(b"w",))[:-1], "a name should take 1 bytes; there are 0; the file is broken or trunc"),
        (params(array(1), names=(b"w",))[:54], "at byte 52: array 0 should take 4 bytes; there are 2"),
        (struct.pack("<QQQ", 0x112, 0, 9), "at byte 16: 9 arrays in a file of 24 bytes"),
    ],
    ids=["sparse", "type", "sides", "names", "a name", "an array", "count"],
)  # fmt: skip
def test_what_is_refused_and_where(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "m.params", content)
    assert message in str(caught.value)


def symbol(path: Path, *nodes: dict[str, Any]) -> tuple[Node, ...]:
    """The computation of a symbol file beside parameters of one number."""
    path.with_name("net-symbol.json").write_text(json.dumps({"nodes": nodes}))
    return read(path.with_name("net-0007.params"), params(array(1), names=(b"w",))).graph


def test_a_symbol_s_steps(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "w", "inputs": []},
        {
            "op": "Convolution", "name": "conv", "inputs": [[0, 0, 0], [1, 0]],
            "attrs": {"kernel": "(3, 5)", "stride": "(2, 1)", "pad": "(1, 2)", "num_group": "4", "no_bias": "True"},
        },
        {"op": "BatchNorm", "name": "norm", "inputs": [[2, 0]], "param": {}},
        {"op": "Pooling", "name": "pool", "inputs": [[3, 0]], "attr": {"pool_type": "avg", "global_pool": "1"}},
        {"op": "Concat", "name": "both", "inputs": [[3, 0], [2, 0]], "attrs": {"dim": "3"}},
        {"op": "Dropout", "name": "drop", "inputs": [[5, 0]], "attrs": {"mode": "always"}},
        {"op": "FullyConnected", "name": "fc", "inputs": [[6, 0]], "attrs": {"no_bias": "True"}},
    ]  # fmt: skip
    window: Attributes = {"kernel": (3, 5), "stride": (2, 1), "pads": (1, 2, 1, 2), "groups": 4}
    assert symbol(tmp_path / "m", *nodes) == (
        Node("input", "data", ()),
        Node("conv", "conv", ("data",), window, ("w",)),
        Node("norm", "norm", ("conv",), {"eps": 1e-3, "fixed_scale": True}),
        Node("global_avg_pool", "pool", ("norm",), {"ceil_mode": False, "count_include_pad": True}),
        Node("concat", "both", ("norm", "conv"), {"axis": 3}),
        Node("Dropout with mode always", "drop", ("both",)),
        Node("FullyConnected with no_bias True", "fc", ("drop",)),
    )


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"nodes": 3}', '{"nodes": [{"op": "Pooling"}]}', "{", '{"nodes": [{"op": "x", "name": "x"}]}']
)
def test_a_symbol_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "net-symbol.json").write_text(text)
    with pytest.raises(FormatError, match=r"net-symbol\.json: not the description of an MXNet network"):
        read(tmp_path / "net.params", params(array(1), names=(b"w",)))
