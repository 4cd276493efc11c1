"""ONNX graphs as exporters write them whose constants have to be worked out, held to onnxruntime."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torchvision.models import DenseNet

import densezoo
from densezoo.errors import CheckpointError, DensezooError, FormatError

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures/formats/onnx/small_nofold.onnx"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light/light_densenet121.onnx"
Model = Any  # an onnx.ModelProto, which has no types


def relative_error(path: Path, images: torch.Tensor) -> float:
    """Of the converted network's logits against onnxruntime's, by the largest logit."""
    session = onnxruntime.InferenceSession(path)
    expected = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]).flatten(1)
    with torch.inference_mode():
        found = densezoo.load_checkpoint(path)[0](images)
    return float((found - expected).abs().max() / expected.abs().max())


def rewritten(path: Path, change: Callable[[Model], None]) -> Path:
    """The fixture's network with another graph."""
    model = onnx.load(FIXTURE)
    change(model)
    onnx.save(model, path)
    return path


def replace(graph: Model, node: Model, new: list[Model]) -> None:
    at = list(graph.node).index(node)
    del graph.node[at]
    for i, step in enumerate(new):
        graph.node.insert(at + i, step)


def dynamo_s(model: Model) -> None:
    """As torch.onnx.export(dynamo=True, optimize=False) has it: biases of zeros, ReduceMean and Reshape in the head."""
    graph = model.graph
    for node in list(graph.node):
        if node.op_type == "Conv":
            name, zero = node.name or node.output[0], helper.make_tensor("", TensorProto.FLOAT, [], [0.0])
            steps = [
                helper.make_node("Shape", [node.input[1]], [f"{name}/s"], start=0, end=1),
                helper.make_node("Constant", [], [f"{name}/one"], value_ints=[1]),
                helper.make_node("Expand", [f"{name}/s", f"{name}/one"], [f"{name}/sides"]),
                helper.make_node("Constant", [], [f"{name}/zero"], value=zero),
                helper.make_node("CastLike", [f"{name}/zero", node.input[0]], [f"{name}/like"]),
                helper.make_node("Expand", [f"{name}/like", f"{name}/sides"], [f"{name}/bias"]),
            ]
            node.input.append(f"{name}/bias")
            replace(graph, node, [*steps, node])
    (pool,) = (node for node in graph.node if node.op_type == "GlobalAveragePool")
    (flatten,) = (node for node in graph.node if node.op_type == "Flatten")
    axes = helper.make_tensor("", TensorProto.INT64, [2], [-1, -2])
    (linear,) = (node for node in graph.node if node.op_type == "Gemm")
    columns = next(one for one in graph.initializer if one.name == linear.input[1]).dims[1]
    replace(graph, pool, [
        helper.make_node("Constant", [], ["axes/all"], value=axes),
        helper.make_node("Constant", [], ["axes/shape"], value_ints=[-1]),
        helper.make_node("Reshape", ["axes/all", "axes/shape"], ["axes"], allowzero=0),
        helper.make_node("ReduceMean", [pool.input[0], "axes"], list(pool.output), keepdims=1),
    ])  # fmt: skip
    replace(graph, flatten, [
        helper.make_node("Shape", [graph.input[0].name], ["images/side"], start=0, end=1),
        helper.make_node("Squeeze", ["images/side"], ["images/number"]),
        helper.make_node("Constant", [], ["images/list"], value_ints=[-1]),
        helper.make_node("Reshape", ["images/number", "images/list"], ["images"], allowzero=0),
        helper.make_node("Constant", [], ["columns"], value_ints=[columns]),
        helper.make_node("Concat", ["images", "columns"], ["rows"], axis=0),
        helper.make_node("Reshape", [flatten.input[0], "rows"], list(flatten.output), allowzero=1),
    ])  # fmt: skip
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 20))


def scaled(model: Model, sides: tuple[int, ...] = (1, 2), twice: bool = False) -> None:
    """As Caffe2 wrote it: after each norm Mul and Add by a vector with two sides more."""
    graph, rng = model.graph, np.random.default_rng(0)
    for i, node in enumerate([node for node in graph.node if node.op_type == "BatchNormalization"]):
        (channels,) = next(one for one in graph.initializer if one.name == node.input[1]).dims
        result, node.output[0] = node.output[0], f"norm{i}"
        steps = [node]
        for j, kind in enumerate(("Mul", "Add")):
            numbers = rng.uniform(0.5, 1.5, channels).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(numbers, f"scale{i}.{j}"))
            graph.initializer.append(numpy_helper.from_array(np.array(sides), f"axes{i}.{j}"))
            steps.append(helper.make_node("Unsqueeze", [f"scale{i}.{j}", f"axes{i}.{j}"], [f"sides{i}.{j}"]))
            given, made = (f"norm{i}", f"mul{i}") if kind == "Mul" else (f"mul{i}", result)
            steps.append(helper.make_node(kind, [given, f"sides{i}.{j}"], [made]))
        if twice and i == 3:  # the norm's own result is used, too
            steps[-1] = helper.make_node("Add", [f"mul{i}", f"norm{i}"], [result])
        replace(graph, node, steps)


def filled(model: Model) -> None:
    """Weights that ConstantOfShape makes of their sides."""
    graph = model.graph
    for i, stored in enumerate(list(graph.initializer)):
        if len(stored.dims) > 1 or i % 5 == 0:
            value = helper.make_tensor("", TensorProto.FLOAT, [1], [0.01 + i / 1000])
            shape = numpy_helper.from_array(np.array(list(stored.dims)), f"shape{i}")
            graph.initializer.append(shape)
            graph.node.insert(0, helper.make_node("ConstantOfShape", [f"shape{i}"], [stored.name], value=value))
            graph.initializer.remove(stored)


@pytest.mark.parametrize("change", [dynamo_s, scaled, filled], ids=["dynamo", "scales", "filled"])
def test_the_function_is_onnxruntime_s(tmp_path: Path, change: Callable[[Model], None]) -> None:
    path = rewritten(tmp_path / "m.onnx", change)
    images = torch.from_numpy(np.load(FIXTURE.with_name("input.npy")))
    assert relative_error(path, images) < 2e-6


def test_light_densenet121(tmp_path: Path) -> None:
    """Of the onnx package's test data: Conv, Unsqueeze-Mul-Add and weights of ConstantOfShape, 0.2 MB for 8 million."""
    assert relative_error(LIGHT, torch.rand(1, 3, 224, 224)) < 2e-6


def test_what_the_newer_exporter_writes(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    network, images = DenseNet(8, (2, 3), 16, num_classes=5).eval(), torch.rand(2, 3, 64, 64)
    torch.onnx.export(network, (images,), tmp_path / "m.onnx", dynamo=True, optimize=False, external_data=False)
    assert relative_error(tmp_path / "m.onnx", images) < 2e-6


def test_a_norm_whose_own_result_is_used_is_not_scaled(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "m.onnx", lambda model: scaled(model, twice=True))
    with pytest.raises(CheckpointError, match="found Add with 2 inputs"):
        densezoo.load_checkpoint(path)


def test_a_scale_of_another_side_is_refused(tmp_path: Path) -> None:
    """(1, C, 1) multiplies rows, not channels."""
    path = rewritten(tmp_path / "m.onnx", lambda model: scaled(model, sides=(0, 2)))
    with pytest.raises(CheckpointError, match="expected norm|expected relu|found Add|found bias"):
        densezoo.load_checkpoint(path)


def test_a_convolution_s_bias_is_refused(tmp_path: Path) -> None:
    def biased(model: Model) -> None:
        node = next(node for node in model.graph.node if node.op_type == "Conv")
        (outputs, *_) = next(one for one in model.graph.initializer if one.name == node.input[1]).dims
        model.graph.initializer.append(numpy_helper.from_array(np.ones(outputs, np.float32), "bias"))
        node.input.append("bias")

    with pytest.raises(CheckpointError, match=r"unexpected \(1\): conv.0.bias"):
        densezoo.load_checkpoint(rewritten(tmp_path / "m.onnx", biased))


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 40, 1 << 40), (1 << 12, 1 << 12), (-1, 3, 7, 7), (1,) * 60])
def test_a_few_bytes_can_t_claim_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    def huge(model: Model) -> None:
        node = next(node for node in model.graph.node if node.op_type == "Conv")
        stored = next(one for one in model.graph.initializer if one.name == node.input[1])
        model.graph.initializer.remove(stored)
        model.graph.initializer.append(numpy_helper.from_array(np.array(shape), "shape"))
        model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], [stored.name]))

    with pytest.raises(DensezooError):
        densezoo.load_checkpoint(rewritten(tmp_path / "m.onnx", huge))


def test_many_fillings_together_can_t_either(tmp_path: Path) -> None:
    """Each of 16 MiB, all of 64: a tiny file's tensors may be 48 MiB of one number, repeated."""
    nodes = [helper.make_node("ConstantOfShape", ["shape"], [f"w{i}"]) for i in range(4)]
    nodes += [helper.make_node("Conv", ["x", f"w{i}"], [f"y{i}"]) for i in range(4)]
    shape = numpy_helper.from_array(np.array([1024, 4096, 1, 1]), "shape")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [x], [shape]))
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    (tmp_path / "m.onnx").write_bytes(buffer.getvalue())
    with pytest.raises(FormatError, match="its tensors of one number, repeated, would take 67,108,864 bytes"):
        densezoo.load_checkpoint(tmp_path / "m.onnx")
