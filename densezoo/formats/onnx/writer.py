"""A DenseNet as an ONNX file, norms unfolded and weights under their canonical names, so that it can be read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import STEMS, layers

OPSET, IR_VERSION = 17, 8


def write_onnx(
    path: Path, arch: DenseNetArchitecture, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write images (N, in_chans, H, W) -> logits (N, num_classes), all but the channels free.

    Args:
        facts: JSON values under the metadata key "densezoo".

    Raises:
        FormatError: the package onnx is missing.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise FormatError(f"{path}: writing ONNX needs the package onnx: pip install 'densezoo[formats]'") from None
    builder = _Builder(helper.make_node, arch)
    builder.network()
    names = {name for layer in layers(arch) for name in (f"{layer.name}.{param}" for param in layer.shapes())}
    graph = helper.make_graph(
        builder.nodes,
        "densenet",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", arch.in_chans, "H", "W"])],
        [helper.make_tensor_value_info(builder.at, TensorProto.FLOAT, ["N", arch.num_classes])],
        [numpy_helper.from_array(state_dict[name].numpy(), name) for name in sorted(names)],
    )
    model = helper.make_model(
        graph, producer_name="densezoo", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(model, {"densezoo": json.dumps(facts, sort_keys=True)})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


class _Builder:
    """Adds steps one after the other; ``at`` is the output of the last."""

    def __init__(self, make_node: Any, arch: DenseNetArchitecture) -> None:
        self.make_node, self.arch = make_node, arch
        self.nodes: list[Any] = []
        self.at = "images"

    def add(self, op: str, *weights: str, **attributes: Any) -> None:
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(self.make_node(op, [self.at, *weights], [output], name=output, **attributes))
        self.at = output

    def norm_relu(self, name: str) -> None:
        params = (f"{name}.{param}" for param in ("weight", "bias", "running_mean", "running_var"))
        self.add("BatchNormalization", *params, epsilon=self.arch.bn_eps)
        self.add("Relu")

    def conv(self, name: str, kernel: int, stride: int = 1) -> None:
        sides = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
        self.add("Conv", f"{name}.weight", **sides)

    def pool(self, op: str, kernel: int, pad: int, ceil_mode: bool, stride: int = 2) -> None:
        sides = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        self.add(op, ceil_mode=int(ceil_mode), **sides)

    def network(self) -> None:
        arch = self.arch
        for layer in layers(arch):
            if layer.role == "layer.norm1" and layer.index == 1:
                if layer.block == 1 and STEMS[arch.stem].pool:
                    ceil_mode = arch.ceil_mode if arch.stem_ceil_mode is None else arch.stem_ceil_mode
                    self.pool("MaxPool", 3, 1, ceil_mode)
                features = [self.at]
            if layer.role in ("layer.norm1", "transition.norm", "final.norm"):
                self._join(features)
            if layer.kind == "norm":
                self.norm_relu(layer.name)
            elif layer.kind == "conv":
                self.conv(layer.name, layer.kernel_size, layer.stride)
            if layer.role == ("layer.conv1" if arch.bn_size is None else "layer.conv2"):
                features.append(self.at)
            if layer.role == "transition.conv":
                self.pool({"avg": "AveragePool", "max": "MaxPool"}[arch.transition_pool], 2, 0, arch.ceil_mode)
        if arch.head_pool:
            self.pool("AveragePool", arch.head_pool, 0, False, arch.head_pool)
        else:
            self.add("GlobalAveragePool")
        self.add("Flatten", axis=1)
        self.add("Gemm", "classifier.weight", "classifier.bias", transB=1)

    def _join(self, features: list[str]) -> None:
        self.at = features[0]
        if len(features) > 1:
            self.add("Concat", *features[1:], axis=1)
