"""Torch7's modules, one by one: the layer that each is, or why it is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch7_writer import Obj, Sto, dumps, numbered, read_network

from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.torch7.layers import Conv, Dense, Dropout, Flatten, Join, Linear, Norm, Other, Pool, Relu


def test_a_module_of_another_class_is_passed_on_by_its_name(tmp_path: Path) -> None:
    (other,) = read_network(
        tmp_path / "net.t7", Obj("nn.ConcatTable", {"modules": [Obj("nn.Linear", {"weight": 3})]})
    ).modules
    assert isinstance(other, Other)
    assert other.class_name == "nn.ConcatTable"
    assert other.label.startswith("module 1 (nn.ConcatTable, offset ")


def test_branches_that_no_dense_layer_has(tmp_path: Path) -> None:
    branches = Obj("nn.Concat", {"modules": [Obj("nn.ReLU", {}), Obj("nn.ReLU", {})], "dimension": 2})
    with pytest.raises(CheckpointError, match="joins branches of 1 and 1 layers; expected an nn.Identity and one"):
        read_network(tmp_path / "net.t7", branches)


#: Fields of a module of each kind, as Torch writes it.
CONV = {"nInputPlane": 3, "nOutputPlane": 2, "kW": 1, "kH": 1, "dW": 1, "dH": 1, "weight": numbered(2, 3, 1, 1)}
NORM = {"running_mean": numbered(2), "running_var": numbered(2), "eps": 1e-5}
POOL = {"kW": 3, "kH": 3, "dW": 2, "dH": 2, "padW": 1, "padH": 1, "ceil_mode": True}
AVERAGE = {"kW": 2, "kH": 2, "dW": 2, "dH": 2}


def layer(tmp_path: Path, class_name: str, fields: dict[str, Any], version: int = 2) -> Any:
    """The one layer that a module becomes."""
    (found,) = read_network(tmp_path / "net.t7", Obj(class_name, fields, version)).modules
    return found


def test_every_module_becomes_its_layer(tmp_path: Path) -> None:
    conv = layer(tmp_path, "cudnn.SpatialConvolution", {**CONV, "dW": 2, "dH": 2, "padW": 3, "padH": 3, "groups": 1})
    assert isinstance(conv, Conv)
    assert (conv.inputs, conv.outputs, conv.kernel, conv.stride, conv.padding, conv.bias) == (3, 2, 1, 2, 3, None)
    norm = layer(tmp_path, "nn.SpatialBatchNormalization", NORM)
    assert isinstance(norm, Norm)
    assert (norm.eps, norm.inverse, norm.weight) == (1e-5, False, None)
    pool = layer(tmp_path, "nn.SpatialMaxPooling", POOL)
    assert isinstance(pool, Pool)
    assert (pool.kind, pool.kernel, pool.stride, pool.padding, pool.ceil_mode) == ("max", 3, 2, 1, True)
    average = layer(tmp_path, "nn.SpatialAveragePooling", {**AVERAGE, "divide": True})
    assert (average.kind, average.padding, average.ceil_mode) == ("avg", 0, False)
    linear = layer(tmp_path, "nn.Linear", {"weight": numbered(2, 3), "bias": numbered(2)})
    assert isinstance(linear, Linear)
    assert (linear.weight.size, linear.bias is not None) == ((2, 3), True)
    assert isinstance(layer(tmp_path, "cudnn.ReLU", {"mode": "CUDNN_ACTIVATION_RELU"}), Relu)
    assert isinstance(layer(tmp_path, "nn.JoinTable", {"dimension": 2}), Join)


def test_a_norm_of_the_class_s_first_version_keeps_the_inverse_of_its_spread(tmp_path: Path) -> None:
    fields = {**NORM, "running_std": numbered(2)}
    assert layer(tmp_path, "nn.SpatialBatchNormalization", fields, version=1).inverse
    assert not layer(tmp_path, "nn.SpatialBatchNormalization", fields, version=2).inverse
    assert not layer(tmp_path, "nn.SpatialBatchNormalization", NORM, version=1).inverse


@pytest.mark.parametrize(("fields", "factor"), [({"v2": True}, 1.0), ({}, 0.75), ({"v2": False}, 0.75)])
def test_only_dropout_of_the_first_version_is_a_factor(tmp_path: Path, fields: dict[str, Any], factor: float) -> None:
    found = layer(tmp_path, "nn.Dropout", {"p": 0.25, **fields})
    assert isinstance(found, Dropout)
    assert found.factor == factor


def whole(*numbers: int) -> Sto:
    return Sto("Long", np.array(numbers))


@pytest.mark.parametrize(
    ("class_name", "fields", "channels"),
    [
        ("nn.Reshape", {"size": whole(12)}, 12),
        ("nn.View", {"size": whole(-1, 12)}, 12),
        ("nn.View", {"size": whole(12), "numInputDims": 3}, 12),
        ("nn.View", {"size": whole(-1), "numInputDims": 3}, None),
    ],
)
def test_flattenings(tmp_path: Path, class_name: str, fields: dict[str, Any], channels: int | None) -> None:
    found = layer(tmp_path, class_name, fields)
    assert isinstance(found, Flatten)
    assert found.channels == channels


@pytest.mark.parametrize(
    ("class_name", "fields", "message"),
    [
        ("nn.SpatialConvolution", {**CONV, "kW": 3}, "its kH is 1.0; expected its kW, 3: a square window"),
        ("nn.SpatialConvolution", {**CONV, "dilationW": 2}, "its dilationW is 2.0; expected 1.0"),
        ("cudnn.SpatialConvolution", {**CONV, "groups": 2}, "its groups is 2.0; expected 1.0"),
        ("nn.SpatialConvolution", {**CONV, "kW": 0.5}, "its kW is 0.5; expected a whole number"),
        ("nn.SpatialConvolution", {**CONV, "weight": numbered(3, 3)}, r"has the size \(3, 3\); expected \(2, 3, 1, "),
        ("nn.SpatialConvolution", {**CONV, "weight": 3}, "expected a tensor of floating-point numbers"),
        ("nn.SpatialConvolution", {**CONV, "weight": None}, "its weight is nothing; expected a tensor with elements"),
        ("nn.SpatialBatchNormalization", {**NORM, "weight": numbered(2)}, "true where there are both weight and bias"),
        ("nn.SpatialBatchNormalization", {**NORM, "affine": True}, "true where there are both weight and bias"),
        ("nn.SpatialBatchNormalization", {**NORM, "eps": 0}, "its eps is 0.0; expected more than 0"),
        ("cudnn.SpatialBatchNormalization", {**NORM, "mode": "CUDNN_BATCHNORM_PER_ACTIVATION"}, "its mode is"),
        ("nn.ReLU", {"threshold": 1, "val": 0}, "its threshold is 1.0; expected 0.0"),
        ("nn.Dropout", {"p": 1}, "its p is 1.0; expected 0 or more and less than 1"),
        ("nn.Dropout", {"p": 0.5, "stochastic_inference": True}, "its stochastic_inference is"),
        ("nn.SpatialAveragePooling", AVERAGE, "its divide is nothing; expected true; without it, nn sums up"),
        ("cudnn.SpatialAveragePooling", {**AVERAGE, "ceil_mode": True}, "its ceil_mode is"),
        ("nn.SpatialMaxPooling", {**POOL, "dW": 0, "dH": 0}, "expected a window and steps of 1 or more"),
        ("nn.SpatialMaxPooling", {**POOL, "ceil_mode": 1}, "its ceil_mode is 1.0; expected true or false"),
        ("nn.Reshape", {"size": whole(3, 4)}, r"gives each image the size \[3, 4\]; expected one"),
        ("nn.Reshape", {"size": whole(2, 3, 4)}, "expected one or two numbers"),
        ("nn.View", {"size": whole(12), "numInputDims": 2}, "its numInputDims is 2.0; expected 3.0"),
        ("nn.JoinTable", {"dimension": 1}, "its dimension is 1.0; expected 2.0"),
        ("nn.Sequential", {"modules": []}, "a list of one module or more, without gaps"),
        ("nn.Sequential", {}, "its modules is nothing; expected a table of modules"),
    ],
)  # fmt: skip
def test_fields_that_no_layer_has(tmp_path: Path, class_name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(
        (FormatError, CheckpointError), match=rf"net\.t7: module 1 \({class_name}, offset \d+\).*{message}"
    ):
        layer(tmp_path, class_name, fields)


RELU, IDENTITY = Obj("nn.ReLU", {}), Obj("nn.Identity", {})


def test_a_concat_is_a_dense_layer_whose_order_is_kept(tmp_path: Path) -> None:
    for new_first in (False, True):
        branches = [Obj("nn.ReLU", {}), Obj("nn.Identity", {})]
        fields = {"modules": branches if new_first else branches[::-1], "dimension": 2}
        found = layer(tmp_path, "nn.Concat", fields)
        assert isinstance(found, Dense)
        assert (found.new_first, found.joined, len(found.layers)) == (new_first, True, 1)


def test_a_custom_dense_layer_is_what_its_two_nets_compute(tmp_path: Path) -> None:
    def nets(threshold: int) -> list[Obj]:
        return [Obj("nn.ReLU", {"val": 0}), Obj("nn.ReLU", {"threshold": threshold})]

    first, second = nets(0)
    fields = {"net1": first, "net2": second, "modules": [first, second]}
    found = layer(tmp_path, "nn.DenseConnectLayerCustom", fields)
    assert (found.joined, found.new_first, len(found.layers)) == (False, False, 2)
    assert len(layer(tmp_path, "nn.DenseConnectLayerCustom", {**fields, "modules": nets(0)}).layers) == 2  # a deep copy
    with pytest.raises(CheckpointError, match="its net1 and net2 differ from its modules; expected copies"):
        layer(
            tmp_path,
            "nn.DenseConnectLayerCustom",
            {**fields, "modules": [nets(0)[0], Obj("nn.Linear", {"weight": numbered(1, 1)})]},
        )


def test_a_module_twice_or_nested_without_end(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"module 2 \(nn.ReLU, offset \d+\) is used twice"):
        read_network(tmp_path / "net.t7", RELU, RELU)
    inner = nested(Obj("nn.ReLU", {}), 40)
    (tmp_path / "net.t7").write_bytes(dumps({"first": inner, "model": nested(inner, 40)}))  # the file nests 40 deep
    with pytest.raises(CheckpointError, match="nested too deep; expected each module once, at most 64 within"):
        read_checkpoint(tmp_path / "net.t7")


def nested(module: Obj, depth: int) -> Obj:
    for _ in range(depth):
        module = Obj("nn.Sequential", {"modules": [module]})
    return module


def test_copies_on_other_gpus_are_not_read(tmp_path: Path) -> None:
    copies = [Obj("nn.ReLU", {}), Obj("nn.Linear", {"weight": 3})]
    fields = {"modules": copies, "dimension": 1}
    assert isinstance(layer(tmp_path, "nn.DataParallelTable", fields, version=1), Relu)
    with pytest.raises(FormatError, match=r"its dimension is 2\.0; expected 1\.0"):
        layer(tmp_path, "nn.DataParallelTable", {**fields, "dimension": 2}, version=1)
