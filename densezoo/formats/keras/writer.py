"""A computation -> a ``.keras`` file with its epsilons (keras/src/saving/saving_lib.py), written without Keras."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from densezoo.errors import FormatError, MissingDependencyError
from densezoo.types.computation import Computation, Node, channels

#: {a step's operation: (Keras's name for its layers' weights, the order of the first one's axes)}.
_WEIGHTS = {"conv": ("conv2d", (2, 3, 1, 0)), "norm": ("batch_normalization", (0,)), "linear": ("dense", (1, 0))}
_DATE = (1980, 1, 1, 0, 0, 0)  # equal weights give equal files


def write_keras(
    path: Path, computation: Computation, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write images (N, H, W, channels) -> logits (N, classes), for ``load_model`` of Keras 3.6 or later.

    Args:
        path: the file.
        computation: the network's.
        state_dict: {canonical name: float32 tensor}; those that no step takes are left out.
        facts: JSON values under "densezoo" in the file's metadata.

    Raises:
        MissingDependencyError: no h5py.
        FormatError: a step that can't be written.
    """
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError(f"{path}: writing Keras files", "h5py", "formats") from None
    model = _Model(computation, state_dict)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for (class_name, rank), values in model.weights.items():
            group = file.create_group(f"layers/{class_name}{f'_{rank}' if rank else ''}/vars")
            for i, value in enumerate(values):
                group.create_dataset(str(i), data=value.contiguous().numpy(), track_times=False)
    metadata = {"keras_version": "3.0.0", "date_saved": "", "densezoo": facts}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (
            ("metadata.json", json.dumps(metadata, sort_keys=True).encode()),
            ("config.json", json.dumps(model.config()).encode()),
            ("model.weights.h5", buffer.getvalue()),
        ):
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)


_Config = dict[str, object]


class _Model:
    """Adds the computation's steps as layers, one after the other.

    Args:
        computation: the steps.
        state_dict: {canonical name: float32 tensor}.
    """

    def __init__(self, computation: Computation, state_dict: Mapping[str, Tensor]) -> None:
        self.name, self.channels = computation.name, channels(computation)
        self.nodes = {node.name: node for node in computation.nodes}
        self.layers: list[_Config] = []
        self.weights: dict[tuple[str, int], list[Tensor]] = {}
        self.names: dict[str, str] = {}  # {step: the layer that has its output}
        self.shapes: dict[str, list[int | None]] = {}  # {layer: its output's}
        for node in computation.nodes:
            _LAYERS.get(node.op, _Model._unknown)(self, node)
            self._weigh(node, [state_dict[name] for name in node.weights])

    def _append(self, kind: str, name: str, config: _Config, inbound: list[object], shape: list[int | None]) -> None:
        entry = {"module": "keras.layers", "class_name": kind, "config": {"name": name, **config}}
        self.layers.append({**entry, "registered_name": None, "name": name, "inbound_nodes": inbound})
        self.shapes[name] = shape

    def _add(self, kind: str, node: Node, sources: Sequence[str], **config: object) -> str:
        """Add a layer that takes the outputs of the layers ``sources``; return its name."""
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {"shape": self.shapes[name], "dtype": "float32", "keras_history": [name, 0, 0]},
            }
            for name in sources
        ]
        name = f"{kind.lower()}_{len(self.layers)}"
        width = self.channels[node.inputs[0] if kind == "ZeroPadding2D" else node.name]
        shape = [None, width] if kind in ("GlobalAveragePooling2D", "Dense") else [None, None, None, width]
        inbound: list[object] = [{"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}]
        self._append(kind, name, config, inbound, shape)
        return name

    def _layer(self, kind: str, node: Node, **config: object) -> None:
        """Add a step's layer, and before it a layer that pads its input if the step has pads."""
        sources = [self.names[name] for name in node.inputs]
        pads = node.attributes.get("pads", "same")
        top, left, bottom, right = (0, 0, 0, 0) if pads == "same" else pads
        if top or left or bottom or right:
            sources = [self._add("ZeroPadding2D", node, sources, padding=[[top, bottom], [left, right]])]
        self.names[node.name] = self._add(kind, node, sources, **config)

    def _weigh(self, node: Node, values: list[Tensor]) -> None:
        if node.op not in _WEIGHTS:
            return
        class_name, axes = _WEIGHTS[node.op]
        rank = sum(1 for known, _ in self.weights if known == class_name)
        self.weights[class_name, rank] = [values[0].permute(axes), *values[1:]]

    def _unknown(self, node: Node) -> None:
        raise FormatError(f"a step {node.op!r} ({node.name}) has no writer for Keras; use another format")

    def input(self, node: Node) -> None:
        shape = [None, None, None, self.channels[node.name]]
        self.names[node.name] = node.name
        self._append("InputLayer", node.name, {"batch_shape": shape, "dtype": "float32"}, [], shape)

    def conv(self, node: Node) -> None:
        attributes, width, biased = node.attributes, self.channels[node.name], len(node.weights) > 1
        sides: dict[str, object] = {"kernel_size": [*attributes["kernel"]], "strides": [*attributes["stride"]]}
        rare = {"groups": attributes.get("groups"), "dilation_rate": attributes.get("dilation")}
        sides["padding"] = "same" if attributes["pads"] == "same" else "valid"
        sides |= {name: value for name, value in rare.items() if value is not None}
        self._layer("Conv2D", node, filters=width, use_bias=biased, **sides)

    def norm(self, node: Node) -> None:
        self._layer("BatchNormalization", node, axis=-1, epsilon=node.attributes["eps"])

    def relu(self, node: Node) -> None:
        self._layer("Activation", node, activation="relu")

    def concat(self, node: Node) -> None:
        self._layer("Concatenate", node, axis=-1)

    def pool(self, node: Node) -> None:
        """A pool. Keras pads by "same" or by zeros; zeros equal a max pool's padding only after a ReLU."""
        kernel, stride, pads = (node.attributes[name] for name in ("kernel", "stride", "pads"))
        same = pads == "same" or node.attributes["ceil_mode"]
        padded = pads != "same" and any(pads)
        below_zero = node.op != "max_pool" or self.nodes[node.inputs[0]].op != "relu"
        if (padded and (same or below_zero)) or (same and pads != "same" and kernel != stride):
            raise FormatError(
                f"the pool {node.name} has a padding or rounding that has no layer in Keras; use another format"
            )
        kind = {"max_pool": "MaxPooling2D", "avg_pool": "AveragePooling2D"}[node.op]
        padding = "same" if same else "valid"
        self._layer(kind, node, pool_size=[*kernel], strides=[*stride], padding=padding)

    def global_avg_pool(self, node: Node) -> None:
        self._layer("GlobalAveragePooling2D", node)

    def flatten(self, node: Node) -> None:
        """Nothing to add: GlobalAveragePooling2D flattens."""
        if self.nodes[node.inputs[0]].op != "global_avg_pool":
            raise FormatError(
                f"the step {node.name} flattens a map of more than a pixel, which has another order in Keras; use "
                "another format"
            )
        self.names[node.name] = self.names[node.inputs[0]]

    def linear(self, node: Node) -> None:
        self._layer("Dense", node, units=self.channels[node.name], activation="linear", use_bias=True)

    def config(self) -> _Config:
        """The model's configuration."""
        first, last = self.layers[0]["name"], self.layers[-1]["name"]
        ends = {"input_layers": [first, 0, 0], "output_layers": [last, 0, 0]}
        config = {"name": self.name, "trainable": True, "layers": self.layers, **ends}
        return {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": config,
            "registered_name": "Functional",
        }


#: {a step's operation: what adds its layers}.
_LAYERS: Mapping[str, Callable[[_Model, Node], None]] = {
    "input": _Model.input, "conv": _Model.conv, "norm": _Model.norm, "relu": _Model.relu, "concat": _Model.concat,
    "max_pool": _Model.pool, "avg_pool": _Model.pool, "global_avg_pool": _Model.global_avg_pool,
    "flatten": _Model.flatten, "linear": _Model.linear,
}  # fmt: skip
