"""The configuration of a Keras model (JSON of keras/src/models/functional.py) as `Node`s."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats.containers.json import parse_json
from densezoo.types import JsonObject, Node
from densezoo.types.computation import Attributes, Pads, Side

_OPERATIONS = {
    "InputLayer": "input", "ZeroPadding2D": "pad", "Conv2D": "conv", "Convolution2D": "conv",
    "BatchNormalization": "norm", "Scale": "scale", "MaxPooling2D": "max_pool", "AveragePooling2D": "avg_pool",
    "GlobalAveragePooling2D": "global_avg_pool", "Concatenate": "concat", "Merge": "concat", "Flatten": "flatten",
    "Dense": "linear", "ReLU": "relu", "Softmax": "softmax",
}  # fmt: skip
#: Layers that change nothing but in training.
_OPERATIONS |= dict.fromkeys(
    ("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization",
     "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
    "identity",
)  # fmt: skip
_MODELS = ("Functional", "Model", "Sequential")
_PLAIN_RELU = {"max_value": (None,), "negative_slope": (None, 0), "threshold": (None, 0)}
_WINDOWS: Mapping[str, Side] = {
    "kernel_size": "kernel", "pool_size": "kernel", "strides": "stride", "dilation_rate": "dilation",
}  # fmt: skip


class _NoLayers(Exception):
    """A model whose configuration is the arguments of its class; the text is the class's name."""


def read_graph(config: str, path: str) -> tuple[Node, ...]:
    """The computation; empty if there is no configuration.

    Args:
        config: the model's configuration, as JSON; empty: there is none.
        path: the file, for messages.

    Raises:
        FormatError: a configuration that isn't Keras's.
    """
    if not config:
        return ()
    try:
        return tuple(_model(parse_json(config, path), "", ()))
    except _NoLayers as error:
        raise FormatError(
            f"{path}: the configuration names the class {error}, and none of its layers, so that what it computes is "
            "not known; write its weights alone, by model.save_weights('model.weights.h5'), and convert those"
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: the model's configuration is not Keras's ({error!r:.120})") from None


def _model(model: JsonObject, prefix: str, inputs: tuple[str, ...]) -> Iterator[Node]:
    """The steps of a model's layers; ``prefix`` and ``inputs`` are of a model that is a layer of another one."""
    config = model["config"]
    if isinstance(config, dict) and "layers" not in config:  # a class with arguments, as KerasHub writes its networks
        raise _NoLayers(str(model.get("class_name")))
    layers = config["layers"] if isinstance(config, dict) else config  # a list: Keras 1 and early 2
    chained = model.get("class_name") == "Sequential"
    if chained and layers[0]["class_name"] != "InputLayer":
        layers = [{"class_name": "InputLayer", "config": {"name": "input"}}, *layers]
    last = ""
    for layer in layers:
        kind, calls = layer["class_name"], layer.get("inbound_nodes", [])
        name = prefix + (layer.get("name") or layer["config"]["name"])
        before = (last,) if chained else tuple(dict.fromkeys(prefix + source for source in _names(calls)))
        if _trains(calls):
            yield Node(f"{kind} as in training", name, before)
        elif kind in _MODELS:
            yield from _model(layer, f"{name}/", before)
        elif kind == "InputLayer" and prefix:
            yield Node("identity", name, inputs)
        else:
            yield from _nodes(layer, name, before)
        last = name
    if prefix:
        ends = (last,) if chained else tuple(prefix + output for output in _names(config["output_layers"]))
        yield Node("identity", prefix.removesuffix("/"), ends)


def _trains(calls: object) -> bool:
    """Whether the layer was called with training=True, which holds in Keras 2 whatever the model is called with."""
    return isinstance(calls, list) and any(
        isinstance(call, list) and '"training": true' in json.dumps(call) for call in calls
    )


def _nodes(layer: JsonObject, name: str, inputs: tuple[str, ...]) -> Iterator[Node]:
    """A layer's step, and a second step for the activation at its end."""
    kind, config = layer["class_name"], layer["config"]
    op = config["activation"] if kind == "Activation" else _OPERATIONS.get(kind, kind)
    attributes: Attributes = {}
    for old, new in _WINDOWS.items():
        if config.get(old):
            attributes[new] = _two(config[old])
    if op in ("conv", "max_pool", "avg_pool"):
        attributes["pads"] = (0, 0, 0, 0) if config.get("padding", "valid") == "valid" else _same(attributes)
        attributes["groups"] = config.get("groups", 1)
    if op == "pad":
        (top, bottom), (left, right) = (_two(pads) for pads in _two(config["padding"]))
        attributes["pads"] = (top, left, bottom, right)
    if kind == "ReLU" and any(config.get(field) not in plain for field, plain in _PLAIN_RELU.items()):
        op = f"ReLU with {', '.join(f'{field} {config.get(field)}' for field in _PLAIN_RELU)}"
    if op == "norm":
        attributes["eps"] = float(config.get("epsilon", 1e-3))
    activation = config.get("activation", "linear") if kind != "Activation" else "linear"
    last = f"{name} before its activation" if activation != "linear" else name
    yield Node(op if isinstance(op, str) else str(op), last, inputs, attributes, weights=(name,))
    if activation != "linear":
        yield Node(str(activation), name, (last,))


def _same(attributes: Attributes) -> Pads:
    """The padding of "same": numbers if the stride is 1; else "same", because it depends on the map."""
    (height, width), stride = attributes["kernel"], attributes.get("stride", (1, 1))
    if stride != (1, 1) and (height, width) != (1, 1):
        return "same"
    return (height - 1) // 2, (width - 1) // 2, height // 2, width // 2


def _two(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, (list, tuple)) else (value, value)


def _names(nodes: object) -> Iterator[str]:
    """The layers that feed this one: Keras 2 lists [name, 0, 0, {}], Keras 3 tensors with a history."""
    todo = [nodes]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if "keras_history" in item:
                yield item["keras_history"][0]
            else:
                todo += reversed(item.values())
        elif isinstance(item, list) and len(item) in (3, 4) and isinstance(item[0], str):
            yield item[0]
        elif isinstance(item, list):
            todo += reversed(item)
