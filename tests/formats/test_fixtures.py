"""Files that the systems themselves wrote (random statistics in every norm), and the logits they computed with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import densezoo
from densezoo.errors import CheckpointError, FormatError

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
CASES: list[dict[str, Any]] = json.loads((FOLDER / "cases.json").read_text())


def relative_error(model: torch.nn.Module, case: dict[str, Any]) -> float:
    images, expected = (torch.from_numpy(np.load(FOLDER / case[name])) for name in ("input", "output"))
    with torch.inference_mode():
        found = model(images)
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_the_function_is_the_system_s(case: dict[str, Any]) -> None:
    model, report = densezoo.load_checkpoint(FOLDER / case["file"], **case["options"])
    assert report.exact
    assert relative_error(model, case) < 2e-6
    assert str(report).startswith(report.source)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_a_control_another_epsilon_is_seen(case: dict[str, Any]) -> None:
    """The comparison above has to tell a right conversion from an almost right one."""
    model, _ = densezoo.load_checkpoint(FOLDER / case["file"], **case["options"])
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps *= 10
    assert relative_error(model, case) > 1e-5


SOURCES = {
    "mindspore_mindcv": ("mindcv", {}),
    "mindspore_tinyms": ("tinyms", {"bn_eps": 1e-4, "ceil_mode": True, "stem": "cifar_norm"}),
    "mindvision": ("mindvision", {"transition_pool": "max", "pool_padding": "same"}),
    "mxnet": ("gluon-legacy", {"head_pool": 7}),
    "mxnet_miraclewkf": ("miraclewkf", {"bn_eps": 1e-4, "ceil_mode": True, "stem_ceil_mode": None}),
    "caffe": ("caffe", {"bn_eps": 1e-5, "ceil_mode": True, "stem_ceil_mode": False}),
    "chainer": ("chainer", {"bn_eps": 2e-5, "stem_ceil_mode": True}),
    "paddle": ("paddle", {}),
    "onnx": ("onnx", {"bn_eps": 1e-5}),
    "torchvision_formats": ("torchvision", {"bn_eps": 1e-5, "transition_pool": "avg"}),
    "mmpretrain": ("mmpretrain", {}),
    "gpleiss": ("gpleiss", {"stem": "cifar"}),
    "monai": ("monai", {"head_pool": None}),
    "pytorchcv": ("pytorchcv", {"head_pool": 7}),
    "torchvision": ("torchvision-legacy", {}),
    "osmr_gluon": ("osmr-gluon", {"head_pool": 7}),
    "osmr_chainer": ("osmr-chainer", {"head_pool": 7, "bn_eps": 1e-5}),
    "osmr_tf1": ("osmr-tf1", {"head_pool": 7, "stem_padding": "torch"}),
    "osmr_tf2": ("osmr-tf2", {"head_pool": 7, "stem_padding": "torch"}),
    "pudae": ("pudae", {"bn_eps": 1.1e-5, "stem_padding": "same", "pool_padding": "same"}),
    "kerascv": ("kerascv", {"bn_eps": 1.001e-5, "stem_padding": "same", "pool_padding": "same"}),
}


@pytest.mark.parametrize("folder", SOURCES)
def test_source_and_semantics(folder: str) -> None:
    case = next(case for case in CASES if case["file"].startswith(f"{folder}/"))
    _, report = densezoo.load_checkpoint(FOLDER / case["file"])
    source, fields = SOURCES[folder]
    assert report.source == source
    assert {name: getattr(report.architecture, name) for name in fields} == fields


def test_keras_s_own_names_ask_for_the_padding() -> None:
    """titu1994's networks pad as "same"; others whose layers have no names of their own may pad otherwise."""
    with pytest.raises(CheckpointError, match="differ in stem_padding, .*say which it is: --options stem_padding=same"):
        densezoo.load_checkpoint(FOLDER / "titu1994/small.h5")


def test_what_the_file_says_can_t_be_overridden() -> None:
    with pytest.raises(CheckpointError, match=r"bn_eps was asked to be 0.001, and the file says 1e-05"):
        densezoo.load_checkpoint(FOLDER / "onnx/small_nofold.onnx", bn_eps=1e-3)


def test_what_the_table_says_can_be() -> None:
    _, report = densezoo.load_checkpoint(FOLDER / "mindvision/small.ckpt", transition_pool="avg")
    assert report.architecture.transition_pool == "avg"
    assert "transition_pool avg: as asked" in report.hints


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
    arch = densezoo.load_checkpoint(tmp_path / "small.caffemodel")[1].architecture
    assert (arch.bn_eps, arch.transition_pool, arch.ceil_mode) != (1e-5, "avg", True)


def test_a_caffemodel_alone_says_how_its_pools_round(tmp_path: Path) -> None:
    """Where the field is absent, every Caffe rounds up; where it is there, Caffes differ in what it means."""
    data = (FOLDER / "caffe/small.caffemodel").read_bytes()
    (tmp_path / "m.caffemodel").write_bytes(data)
    assert densezoo.load_checkpoint(tmp_path / "m.caffemodel")[1].architecture.stem_ceil_mode is False
    field = b"\x18\x02\x20\x01\x68\x00"  # stride 2, pad 1, field 13: 0
    assert data.count(field) == 1
    (tmp_path / "m.caffemodel").write_bytes(data.replace(field, b"\x18\x02\x20\x01\x70\x00"))  # field 14: torch_pooling
    arch = densezoo.load_checkpoint(tmp_path / "m.caffemodel")[1].architecture
    assert (arch.ceil_mode, arch.stem_ceil_mode) == (True, None)


@pytest.mark.parametrize("text", ["layer {", "layer } }", 'layer { name: "a\n" }', "\x00", "layer { type: 3 bottom: }"])
def test_a_broken_prototxt_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "small.prototxt").write_text(text)
    (tmp_path / "small.caffemodel").write_bytes((FOLDER / "caffe/small.caffemodel").read_bytes())
    with pytest.raises((FormatError, CheckpointError)):
        densezoo.load_checkpoint(tmp_path / "small.caffemodel")


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
    assert (report.architecture.bn_eps, report.architecture.ceil_mode) != (1e-4, True)
