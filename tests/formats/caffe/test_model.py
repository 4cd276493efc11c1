"""Caffe's networks: what a caffemodel and the prototxt beside it say is what is computed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from densenet_sources import as_densenet
from oversized import field, varint

import densezoo
from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.caffe.model import looks_like_caffe
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Checkpoint, Node
from densezoo.types.computation import Attributes

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "formats"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("eps: 1e-5", "eps: 1e-3", None),
        ("pool: AVE kernel_size: 2", "pool: MAX kernel_size: 2", None),
        ('"ReLU"', '"Sigmoid"', "expected relu, found Sigmoid"),
        ("pool: AVE kernel_size: 2", "pool: AVE kernel_size: 3", r"expected kernel 2, found \(3, 3\)"),
        ('bottom: "pool1" bottom: "conv2_1/x2"', 'bottom: "conv2_1/x2" bottom: "pool1"', "found"),
        ("pad: 1 kernel_size: 3  }", "pad: 0 kernel_size: 3  }", "expected a padding of 1"),
        ("kernel_size: 7 stride: 2", "kernel_size: 7 stride: 1", "expected stride 2"),
        ("kernel_size: 1 ", "kernel_size: 1 pad_h: 1 pad_w: 1", "expected a padding of 0"),
        ("kernel_size: 1 ", "kernel_size: 1 stride_h: 2 stride_w: 2", "expected stride 1"),
        ("pad: 1 kernel_size: 3", "pad: 1 pad: 0 kernel_size: 3", r"found \(1, 0, 1, 0\)"),
        ('"ReLU"', '"ReLU" relu_param { negative_slope: 0.1 }', "found ReLU with a negative_slope of 0.1"),
        ("eps: 1e-5", "eps: 1e-5 use_global_stats: false", "found BatchNorm with use_global_stats: false"),
        ("conv2_1/x1/scale", "another/scale", "has no layer 'conv2_1/x1/scale', whose weights are in small.caffemodel"),
        ("layer {", "layers {", "has no layer 'conv1', whose weights are in"),
        ("kernel_size: 2 stride: 2", "kernel_h: 2 kernel_w: 2 stride: 2 round_mode: FLOOR", None),
    ],
)
def test_the_prototxt_is_honoured_or_the_file_refused(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    text = (FOLDER / "caffe/small.prototxt").read_text()
    assert old in text
    (tmp_path / "small.prototxt").write_text(text.replace(old, new))
    (tmp_path / "small.caffemodel").write_bytes((FOLDER / "caffe/small.caffemodel").read_bytes())
    if message is not None:
        with pytest.raises((CheckpointError, FormatError), match=message):
            densezoo.load_checkpoint(tmp_path / "small.caffemodel")
        return
    arch = as_densenet(densezoo.load_checkpoint(tmp_path / "small.caffemodel")[1].architecture)
    assert (arch.bn_eps, arch.transition_pool, arch.ceil_mode) != (1e-5, "avg", True)


def test_a_caffemodel_alone_says_how_its_pools_round(tmp_path: Path) -> None:
    """Where the field is absent, every Caffe rounds up; where it is there, Caffes differ in what it means."""
    data = (FOLDER / "caffe/small.caffemodel").read_bytes()
    (tmp_path / "m.caffemodel").write_bytes(data)
    assert as_densenet(densezoo.load_checkpoint(tmp_path / "m.caffemodel")[1].architecture).stem_ceil_mode is False
    field = b"\x18\x02\x20\x01\x68\x00"  # stride 2, pad 1, field 13: 0
    assert data.count(field) == 1
    (tmp_path / "m.caffemodel").write_bytes(data.replace(field, b"\x18\x02\x20\x01\x70\x00"))  # field 14: torch_pooling
    arch = as_densenet(densezoo.load_checkpoint(tmp_path / "m.caffemodel")[1].architecture)
    assert (arch.ceil_mode, arch.stem_ceil_mode) == (True, None)


def number(field_number: int, value: int) -> bytes:
    return varint(field_number << 3) + varint(value)


def network(*layers: bytes) -> bytes:
    return field(1, b"net") + b"".join(field(100, layer) for layer in layers)


def layer(name: str, kind: str, bottom: str, top: str, *more: bytes) -> bytes:
    return (
        field(1, name.encode()) + field(2, kind.encode()) + field(3, bottom.encode()) + field(4, top.encode())
    ) + b"".join(more)


def read(path: Path, content: bytes) -> Checkpoint:
    path.write_bytes(content)
    return read_checkpoint(path)


def test_a_network_field_by_field(tmp_path: Path) -> None:
    """A layer that works in place is fed by the last one that wrote its name."""
    convolution = field(106, number(3, 1) + number(4, 3) + number(4, 5) + number(5, 2) + number(13, 2) + number(14, 1))
    pool = field(121, number(1, 1) + number(2, 2) + number(3, 2))
    checkpoint = read(
        tmp_path / "m.caffemodel",
        network(
            layer("conv", "Convolution", "data", "conv", convolution),
            layer("bn", "BatchNorm", "conv", "conv", field(139, b"\x1d" + struct.pack("<f", 2e-5))),
            layer("relu", "ReLU", "conv", "conv"),
            layer("pool", "Pooling", "conv", "pool", pool),
            layer("join", "Concat", "pool", "all", field(3, b"conv"), field(104, number(2, 2))),
            layer("loss", "SoftmaxWithLoss", "all", "loss"),
        ),
    )
    window: Attributes = {"kernel": (3, 5), "stride": (2, 1), "dilation": (1, 1), "pads": (1, 1, 1, 1), "groups": 2}
    halved: Attributes = {
        "kernel": (2, 2), "stride": (2, 2), "dilation": (1, 1), "pads": (0, 0, 0, 0), "ceil_mode": True,
    }  # fmt: skip
    assert checkpoint.graph == (
        Node("input", "input data", ()),
        Node("conv", "conv", ("input data",), window, ("conv",)),
        Node("norm", "bn", ("conv",), {"eps": 2e-5}, ("bn",)),
        Node("relu", "relu", ("bn",), {}, ("relu",)),
        Node("avg_pool", "pool", ("relu",), halved, ("pool",)),
        Node("concat", "join", ("pool", "relu"), {"axis": 2}, ("join",)),
    )


def test_blobs_old_and_new(tmp_path: Path) -> None:
    values = struct.pack("<6f", *range(6))
    old = b"".join(number(i, side) for i, side in enumerate((1, 1, 2, 3), 1)) + field(5, values)
    new = field(7, number(1, 3) + number(1, 2)) + field(8, struct.pack("<6d", *range(6)))
    tensors = read(tmp_path / "m", network(layer("fc", "InnerProduct", "x", "y", field(7, old), field(7, new)))).tensors
    assert tensors["fc/0"].tolist() == [[[[0, 1, 2], [3, 4, 5]]]]
    assert tensors["fc/1"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert tensors["fc/1"].dtype == torch.float64


def test_layers_of_the_format_before_2014_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="layers of the format before 2014; upgrade it with Caffe's upgrade_net_prot"):
        read(tmp_path / "m", field(1, b"net") + field(2, b"\0\0"))
    with pytest.raises(FormatError, match="a Caffe network with no layers"):
        read(tmp_path / "m", field(1, b"network"))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (field(1, b"DENSENET_121"), True),
        (field(100, b"x"), True),
        (field(1, b"\x0a\x03a:0"), False),  # MindSpore's: a message
        (field(1, b""), False),
        (field(1, "é".encode()), False),
        (field(2, b"name"), False),
    ],
)
def test_recognition(head: bytes, expected: bool) -> None:
    assert looks_like_caffe(head, len(head)) is expected
