"""The computation that a file describes, changed in one place."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import DenseNet as TorchvisionDenseNet
from toy_computation import TOY

from densezoo.conversion.export import export
from densezoo.conversion.graphs import Reading, match_graph
from densezoo.conversion.match import convert
from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Checkpoint, Freedom, Node, PoolFreedom
from densezoo.types.computation import Attributes

FORMATS = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
ONNX = FORMATS / "onnx" / "small_nofold.onnx"
WITH_A_COMPUTATION = {
    "caffe": FORMATS / "caffe" / "small.caffemodel",
    "mxnet": FORMATS / "mxnet_miraclewkf" / "densenet-small-0000.params",
    "onnx": ONNX,
    "torchscript": FORMATS / "torchvision_formats" / "scripted.pt",
    "keras3": None,  # written here
}


def test_features_joined_in_another_order_are_refused() -> None:
    """The join of one layer's inputs alone; the block's own join stays as it was."""
    checkpoint = read_checkpoint(ONNX)
    turned = next(node for node in checkpoint.graph if node.op == "concat" and len(node.inputs) == 2)
    graph = tuple(
        dataclasses.replace(node, inputs=node.inputs[::-1]) if node is turned else node for node in checkpoint.graph
    )
    convert(checkpoint)
    with pytest.raises(CheckpointError, match="layer 2 of block 1 to join all before it in order"):
        convert(dataclasses.replace(checkpoint, graph=graph))


@pytest.mark.parametrize("axis", [0, 2, -2])
def test_features_joined_along_another_axis_are_refused(axis: int) -> None:
    checkpoint = read_checkpoint(ONNX)
    turned = next(node for node in checkpoint.graph if node.op == "concat" and len(node.inputs) == 2)
    other = dataclasses.replace(turned, attributes={**turned.attributes, "axis": axis})
    graph = tuple(other if node is turned else node for node in checkpoint.graph)
    with pytest.raises(CheckpointError, match=rf"expected features joined as channels, found axis {axis} \("):
        convert(dataclasses.replace(checkpoint, graph=graph))


@pytest.mark.parametrize(("op", "other"), [("relu", "LeakyRelu"), ("avg_pool", "lp_pool"), ("norm", "InstanceNorm")])
def test_another_step_is_refused(op: str, other: str) -> None:
    checkpoint = read_checkpoint(ONNX)
    changed = [node for node in checkpoint.graph if node.op == op][-1]
    graph = tuple(dataclasses.replace(node, op=other) if node is changed else node for node in checkpoint.graph)
    with pytest.raises(CheckpointError, match=f"found {other}"):
        convert(dataclasses.replace(checkpoint, graph=graph))


def export_onnx(path: Path, **options: object) -> TorchvisionDenseNet:
    model = TorchvisionDenseNet(8, (2, 2), 16).eval()  # whose norms are all equal: the exporter keeps one of each
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(1, 3, 64, 64),), path, dynamo=False, **options)  # type: ignore[arg-type]
    return model


def test_folded_norms_are_refused_with_the_way_out(tmp_path: Path) -> None:
    export_onnx(tmp_path / "m.onnx")
    with pytest.raises(CheckpointError, match=r"norm \(folded.*TrainingMode.PRESERVE\), found conv"):
        convert(read_checkpoint(tmp_path / "m.onnx"))


def test_the_way_out_leads_to_the_network(tmp_path: Path) -> None:
    model = export_onnx(tmp_path / "m.onnx", training=torch.onnx.TrainingMode.PRESERVE)
    _, state_dict, _ = convert(read_checkpoint(tmp_path / "m.onnx"))
    assert all(torch.equal(tensor, state_dict[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("format", WITH_A_COMPUTATION)
def test_weights_taken_by_another_layer_are_refused(tmp_path: Path, format: str) -> None:
    """Two layers of one shape, each of which takes what the other's name promises."""
    path = WITH_A_COMPUTATION[format] or tmp_path / "model.keras"
    if not path.exists():
        arch = DenseNetArchitecture(8, (2, 3), 16, num_classes=5)
        export(path, "keras", arch, DenseNet(arch).state_dict(), {})
    checkpoint = read_checkpoint(path)
    assert checkpoint.format == format
    first, second = [node for node in checkpoint.graph if node.op == "norm" and width(checkpoint, node) == 32][-2:]
    crossed = {first.name: second.weights, second.name: first.weights}
    graph = tuple(dataclasses.replace(node, weights=crossed.get(node.name, node.weights)) for node in checkpoint.graph)
    convert(checkpoint)
    with pytest.raises(CheckpointError, match="by its names it should take"):
        convert(dataclasses.replace(checkpoint, graph=graph))


def width(checkpoint: Checkpoint, node: Node) -> int:
    """The number of channels that a norm has."""
    return next(len(tensor) for name, tensor in checkpoint.tensors.items() if name.startswith(node.weights[0]))


def test_a_softmax_over_the_images_is_refused_and_one_over_the_classes_said(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(ONNX)
    softmax = onnx.helper.make_node("Softmax", [model.graph.output[0].name], ["probabilities"], axis=1)
    model.graph.node.append(softmax)
    model.graph.output[0].name = "probabilities"
    onnx.save(model, tmp_path / "m.onnx")
    assert "ends in a softmax" in convert(read_checkpoint(tmp_path / "m.onnx"))[2].hints[-1]
    model.graph.node[-1].attribute[0].i = 0
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(CheckpointError, match="found Softmax over axis 0"):
        convert(read_checkpoint(tmp_path / "m.onnx"))


def held(steps: Sequence[Node], **changes: Node) -> Reading:
    """A toy family's computation, with some steps changed, held against its own."""
    graph = tuple(dataclasses.replace(changes.get(node.name, node), weights=(node.name,)) for node in steps)
    freedom = Freedom("a toy's", "eps", {"m": PoolFreedom({"max_pool": {"pool": "max"}, "avg_pool": {"pool": "avg"}},
                      {(1, 1, 1, 1): {}}, words="a pool with padding 1")}, {})  # fmt: skip
    return match_graph(graph, TOY, freedom, "file")


def test_any_family_s_computation_is_held_to_it() -> None:
    steps = TOY.nodes
    assert held(steps) == Reading({"pool": "max"}, [("c",), ("l",)])
    node = next(node for node in steps if node.name == "m")
    assert held(steps, m=dataclasses.replace(node, op="avg_pool")).semantics == {"pool": "avg"}


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("c", {"groups": 1}, r"not a toy's that densezoo can express: expected 2 groups, found 1 \(c\)"),
        ("m", {"pads": (0,) * 4}, r"expected a pool with padding 1, found \(0, 0, 0, 0\) \(m\)"),
        ("a", {"pads": (1,) * 4}, r"expected a padding of \(0, 0, 0, 0\), found \(1, 1, 1, 1\) \(a\)"),
        ("a", {"ceil_mode": True}, r"expected ceil_mode False, found True \(a\)"),
        ("a", {"kernel": (3, 3)}, r"expected kernel 2, found \(3, 3\) \(a\)"),
    ],
)
def test_what_a_family_doesn_t_let_differ_is_refused(name: str, attributes: Attributes, message: str) -> None:
    node = next(node for node in TOY.nodes if node.name == name)
    changed = dataclasses.replace(node, attributes={**node.attributes, **attributes})
    with pytest.raises(CheckpointError, match=message):
        held(TOY.nodes, **{name: changed})


@pytest.mark.parametrize("added", [(3.9, 1.9, 3.9, 1.9), ("1", "1", "1", "1"), (True, 1, 1, 1), (1, 1)])
def test_a_padding_is_of_whole_numbers(added: Any) -> None:
    """As a file's own step before a pool, whose numbers are what the file says."""
    node = next(node for node in TOY.nodes if node.name == "m")
    before = TOY.nodes[: TOY.nodes.index(node)]
    for sides, refused in (((1, 1, 1, 1), False), (added, True)):
        pad = Node("pad", "p", (before[-1].name,), {"pads": sides})
        pooled = dataclasses.replace(node, inputs=("p",), attributes={**node.attributes, "pads": (0,) * 4})
        steps = [*before, pad, pooled, *TOY.nodes[len(before) + 1 :]]
        refusal = pytest.raises(CheckpointError, match="expected a padding of four whole numbers")
        with refusal if refused else nullcontext():
            held(steps)
