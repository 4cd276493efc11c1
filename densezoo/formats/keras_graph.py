"""The configuration of a Keras model (JSON of keras/src/models/functional.py) as `GraphNode`s."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from densezoo.errors import FormatError
from densezoo.types import GraphNode

_OPERATIONS = {
    "InputLayer": "input", "ZeroPadding2D": "pad", "Conv2D": "conv", "Convolution2D": "conv",
    "BatchNormalization": "norm", "Scale": "scale", "MaxPooling2D": "max_pool", "AveragePooling2D": "avg_pool",
    "GlobalAveragePooling2D": "global_avg_pool", "Concatenate": "concat", "Merge": "concat", "Flatten": "flatten",
    "Dense": "linear", "Dropout": "identity", "ReLU": "relu", "Softmax": "softmax",
}  # fmt: skip
_WINDOWS = {"kernel_size": "kernel", "pool_size": "kernel", "strides": "stride", "dilation_rate": "dilation"}


def read_graph(config: str, where: str) -> tuple[GraphNode, ...]:
    """The computation; empty where there is no configuration.

    Raises:
        FormatError: a configuration that isn't Keras's.
    """
    if not config:
        return ()
    try:
        model = json.loads(config)["config"]
        layers = model["layers"] if isinstance(model, dict) else model
        return tuple(node for layer in layers for node in _nodes(layer))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{where}: the model's configuration is not Keras's ({error!r:.120})") from None


def _nodes(layer: dict[str, Any]) -> Iterator[GraphNode]:
    """A layer's step, and the activation that it ends with as a step of its own."""
    kind, config = layer["class_name"], layer["config"]
    name = layer.get("name") or config["name"]
    inputs = tuple(dict.fromkeys(_names(layer.get("inbound_nodes", []))))
    op = config["activation"] if kind == "Activation" else _OPERATIONS.get(kind, kind)
    attributes: dict[str, Any] = {new: _two(config[old]) for old, new in _WINDOWS.items() if config.get(old)}
    if op in ("conv", "max_pool", "avg_pool"):
        attributes["pads"] = (0, 0, 0, 0) if config.get("padding", "valid") == "valid" else _same(attributes)
        attributes["groups"] = config.get("groups", 1)
    if op == "pad":
        (top, bottom), (left, right) = (_two(pads) for pads in _two(config["padding"]))
        attributes["pads"] = (top, left, bottom, right)
    if op == "norm":
        attributes["eps"] = float(config.get("epsilon", 1e-3))
    activation = config.get("activation", "linear") if kind != "Activation" else "linear"
    last = f"{name} before its activation" if activation != "linear" else name
    yield GraphNode(op if isinstance(op, str) else str(op), last, inputs, attributes, weights=(name,))
    if activation != "linear":
        yield GraphNode(str(activation), name, (last,))


def _same(attributes: dict[str, Any]) -> Any:
    """The padding of "same": known where the stride is 1, and depending on the map where it isn't."""
    (height, width), stride = attributes["kernel"], attributes.get("stride", (1, 1))
    if stride != (1, 1) and (height, width) != (1, 1):
        return "same"
    return (height - 1) // 2, (width - 1) // 2, height // 2, width // 2


def _two(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, (list, tuple)) else (value, value)


def _names(nodes: Any) -> Iterator[str]:
    """The layers that feed this one: Keras 2 lists [name, 0, 0, {}], Keras 3 tensors with a history."""
    todo = [nodes]
    while todo:
        item = todo.pop(0)
        if isinstance(item, dict):
            if "keras_history" in item:
                yield item["keras_history"][0]
            else:
                todo[:0] = list(item.values())
        elif isinstance(item, list) and len(item) in (3, 4) and isinstance(item[0], str):
            yield item[0]
        elif isinstance(item, list):
            todo[:0] = item
