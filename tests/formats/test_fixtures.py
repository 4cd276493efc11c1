"""Files that the systems themselves wrote (random statistics in every norm), and the logits they computed with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from densenet_sources import as_densenet

import densezoo
from densezoo.errors import CheckpointError

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


SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
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
    "osmr_gluon_cifar": ("osmr-gluon-cifar", {"head_pool": 8, "stem": "cifar"}),
    "osmr_chainer_cifar": ("osmr-chainer-cifar", {"head_pool": 8, "bn_size": None}),
    "osmr_tf2_cifar": ("osmr-tf2-cifar", {"head_pool": 8, "bn_size": 4}),
    "osmr_tf2_plain": ("osmr-tf2-cifar", {"head_pool": 8, "bn_size": None}),
    "pudae": ("pudae", {"bn_eps": 1.1e-5, "stem_padding": "same", "pool_padding": "same"}),
    "kerascv": ("kerascv", {"bn_eps": 1.001e-5, "stem_padding": "same", "pool_padding": "same"}),
    "kerashub": ("kerashub", {"bn_eps": 1.001e-5, "stem_padding": "same", "pool_padding": "same"}),
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
    with pytest.raises(
        CheckpointError, match="differ in stem_padding, .*which it is by .*: --options stem_padding=same"
    ):
        densezoo.load_checkpoint(FOLDER / "titu1994/small.h5")


def test_what_the_file_says_can_t_be_overridden() -> None:
    with pytest.raises(CheckpointError, match=r"bn_eps was asked to be 0.001, and the file says 1e-05"):
        densezoo.load_checkpoint(FOLDER / "onnx/small_nofold.onnx", bn_eps=1e-3)


def test_what_the_table_says_can_be() -> None:
    _, report = densezoo.load_checkpoint(FOLDER / "mindvision/small.ckpt", transition_pool="avg")
    assert as_densenet(report.architecture).transition_pool == "avg"
    assert "transition_pool avg: as asked" in report.hints
