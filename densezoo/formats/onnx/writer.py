"""A computation -> an ONNX file with unfolded norms and weights under their canonical names, which can be read back."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezoo.errors import FormatError, MissingDependencyError
from densezoo.types import Protocol
from densezoo.types.computation import Computation, Node, channels

if TYPE_CHECKING:
    from onnx import NodeProto

Array: TypeAlias = "NDArray[Any]"
OPSET, IR_VERSION = 17, 8
NO_WRITER = "has no writer for ONNX; use another format"


def write_onnx(
    path: Path, computation: Computation, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write images (N, channels, H, W) -> logits (N, classes), for any N, H and W.

    Args:
        path: the file.
        computation: the network's.
        state_dict: {canonical name: float32 tensor}; those that no step takes are left out.
        facts: JSON values under the metadata key "densezoo".

    Raises:
        MissingDependencyError: no onnx.
        FormatError: a step that can't be written.
    """
    for node in computation.nodes:  # ONNX has the following two, but they would read back as other steps
        if node.op == "blur":
            raise FormatError(f"{path}: a step 'blur' ({node.name}) {NO_WRITER}")
        if node.attributes.get("pads") == "same":
            raise FormatError(f"{path}: a step with pads 'same' ({node.name}) {NO_WRITER}")
    path.write_bytes(onnx_model(computation, state_dict, facts, str(path)))


def onnx_model(
    computation: Computation,
    state_dict: Mapping[str, Tensor],
    facts: Mapping[str, object],
    error_prefix: str,
    protocol: Protocol | None = None,
) -> bytes:
    """An ONNX file: images (N, channels, H, W) -> logits (N, classes), for any N, H and W.

    Args:
        computation: the network's; every step of a DenseNet can be written here, also those that would not read back
            as the same ones.
        state_dict: {canonical name: float32 tensor}; those that no step takes are left out.
        facts: JSON values under the metadata key "densezoo".
        error_prefix: what is written, for messages.
        protocol: the images are its pixels, and normalised in the graph by the same steps as in
            `densezoo.data.preprocess.normalise`; None: they are normalised.

    Raises:
        MissingDependencyError: no onnx.
        FormatError: a step that can't be written.
    """
    start = computation.input
    graph = _Graph(
        {name: state_dict[name].numpy() for node in computation.nodes for name in node.weights}, error_prefix
    )
    names = {start.name: graph.normalised(start.name, protocol) if protocol else start.name}  # {step: name in the file}
    widths = channels(computation)
    for node in computation.nodes[1:]:
        inputs = [*(names[key] for key in node.inputs), *node.weights]
        if node.op == "blur":
            names[node.name] = graph.blurred(inputs[0], node, widths[node.name])
        elif node.op in _OPERATORS:
            operator, attributes = _OPERATORS[node.op]
            names[node.name] = graph.add(operator, inputs, **attributes(node))
        else:
            raise FormatError(f"{error_prefix}: a step {node.op!r} ({node.name}) {NO_WRITER}")
    return graph.file(computation, names, protocol is not None and not protocol.float_pixels, facts)


class _Graph:
    """The steps of a file, in their order.

    Args:
        constants: {name: array} that steps take; further ones are added.
        error_prefix: what is written, for messages.

    Raises:
        MissingDependencyError: no onnx.
    """

    def __init__(self, constants: dict[str, Array], error_prefix: str) -> None:
        if importlib.util.find_spec("onnx") is None:
            raise MissingDependencyError(f"{error_prefix}: writing ONNX", "onnx", "formats")
        self.nodes: list[NodeProto] = []
        self.constants = constants

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:  # as onnx's make_node takes them
        """Add a step; return its name, which is its output's, too."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Sequence[float] | float) -> str:
        """Add numbers, one for each channel or one for all; return their name."""
        self.constants[name] = np.asarray(values, np.float32).reshape(-1, 1, 1)
        return name

    def normalised(self, pixels: str, protocol: Protocol) -> str:
        """Add the steps from a protocol's pixels to the network's images; return the last one's name."""
        x = pixels
        if not protocol.float_pixels:
            x = self.add("Cast", [x], to=1)  # TensorProto.FLOAT
            if protocol.value_range != 255.0:
                x = self.add("Div", [x, self.constant("range", 255.0 / protocol.value_range)])
        x = self.add("Sub", [x, self.constant("mean", protocol.mean)])
        return self.add("Div", [x, self.constant("std", protocol.std)])

    def blurred(self, x: str, node: Node, width: int) -> str:
        """Add a blur by (1 2 1) x (1 2 1) / 16 with reflected edges; return the last step's name."""
        top, left, bottom, right = node.attributes["pads"]
        pads, row = f"{node.name}.pads", np.array([0.25, 0.5, 0.25], np.float32)
        self.constants[pads] = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        self.constants[f"{node.name}.filter"] = np.tile(row[:, None] * row, (width, 1, 1, 1))
        window = {"kernel_shape": node.attributes["kernel"], "strides": node.attributes["stride"]}
        padded = self.add("Pad", [x, pads], mode="reflect")
        return self.add("Conv", [padded, f"{node.name}.filter"], group=width, **window)

    def file(
        self, computation: Computation, names: Mapping[str, str], takes_bytes: bool, facts: Mapping[str, object]
    ) -> bytes:
        """The file.

        Args:
            computation: of the network.
            names: {step of the computation: its name here}.
            takes_bytes: whether the images are uint8.
            facts: JSON values under the metadata key "densezoo".
        """
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        start, end = computation.input, computation.output
        images, floats = (TensorProto.UINT8 if takes_bytes else TensorProto.FLOAT), TensorProto.FLOAT
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                computation.name,
                [helper.make_tensor_value_info(start.name, images, ["N", start.attributes["channels"], "H", "W"])],
                [helper.make_tensor_value_info(names[end.name], floats, ["N", end.attributes["channels"]])],
                [numpy_helper.from_array(array, name) for name, array in sorted(self.constants.items())],
            ),
            producer_name="densezoo",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        helper.set_model_props(model, {"densezoo": json.dumps(facts, sort_keys=True)})
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _window(node: Node) -> dict[str, object]:
    window = {"kernel_shape": node.attributes["kernel"], "strides": node.attributes["stride"]}
    pads = node.attributes["pads"]
    return window | ({"auto_pad": "SAME_UPPER"} if pads == "same" else {"pads": pads})


def _conv(node: Node) -> dict[str, object]:
    rare = {"group": node.attributes.get("groups"), "dilations": node.attributes.get("dilation")}
    return _window(node) | {name: value for name, value in rare.items() if value is not None}


def _pool(node: Node) -> dict[str, object]:
    return _window(node) | {"ceil_mode": int(bool(node.attributes["ceil_mode"]))}


def _none(node: Node) -> dict[str, object]:
    return {}


#: {a step's operation: (ONNX's operator, its attributes)}; the operator takes the weights in the step's order.
_OPERATORS: Mapping[str, tuple[str, Callable[[Node], dict[str, object]]]] = {
    "conv": ("Conv", _conv),
    "norm": ("BatchNormalization", lambda node: {"epsilon": node.attributes["eps"]}),
    "relu": ("Relu", _none),
    "max_pool": ("MaxPool", _pool),
    "avg_pool": ("AveragePool", _pool),
    "global_avg_pool": ("GlobalAveragePool", _none),
    "concat": ("Concat", lambda node: {"axis": node.attributes["axis"]}),
    "flatten": ("Flatten", lambda node: {"axis": 1}),
    "linear": ("Gemm", lambda node: {"transB": 1}),
}
