"""Keras's configurations, layer by layer, as its versions write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from densezoo.errors import FormatError
from densezoo.formats.keras.graph import read_graph
from densezoo.types import Node
from densezoo.types.computation import Attributes


def layer(kind: str, name: str, *before: str, **config: Any) -> dict[str, Any]:
    """A layer as Keras 2 writes it."""
    calls = [[[one, 0, 0, {}] for one in before]] if before else []
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls}


def graph(*layers: dict[str, Any], **more: Any) -> tuple[Node, ...]:
    return read_graph(json.dumps({"config": {"layers": layers, **more}}), "m.h5")


def test_a_network_of_every_layer() -> None:
    steps = graph(
        layer("InputLayer", "images"),
        layer("ZeroPadding2D", "pad", "images", padding=[[3, 2], [1, 0]]),
        layer("Conv2D", "conv", "pad", kernel_size=[7, 5], strides=2, dilation_rate=[1, 1], activation="relu"),
        layer("BatchNormalization", "norm", "conv", epsilon=1.001e-5),
        layer("Activation", "relu", "norm", activation="relu"),
        layer("MaxPooling2D", "pool", "relu", pool_size=[3, 3], strides=[2, 2], padding="same"),
        layer("Conv2D", "same", "pool", kernel_size=[3, 4], padding="same", groups=2),
        layer("Concatenate", "both", "pool", "same"),
        layer("Dropout", "drop", "both"),
        layer("Dense", "fc", "drop", activation="softmax"),
    )
    conv: Attributes = {"kernel": (7, 5), "stride": (2, 2), "dilation": (1, 1), "pads": (0, 0, 0, 0), "groups": 1}
    assert steps == (
        Node("input", "images", (), {}, ("images",)),
        Node("pad", "pad", ("images",), {"pads": (3, 1, 2, 0)}, ("pad",)),
        Node("conv", "conv before its activation", ("pad",), conv, ("conv",)),
        Node("relu", "conv", ("conv before its activation",)),
        Node("norm", "norm", ("conv",), {"eps": 1.001e-5}, ("norm",)),
        Node("relu", "relu", ("norm",), {}, ("relu",)),
        Node(
            "max_pool", "pool", ("relu",), {"kernel": (3, 3), "stride": (2, 2), "pads": "same", "groups": 1}, ("pool",)
        ),
        Node("conv", "same", ("pool",), {"kernel": (3, 4), "pads": (1, 1, 1, 2), "groups": 2}, ("same",)),
        Node("concat", "both", ("pool", "same"), {}, ("both",)),
        Node("identity", "drop", ("both",), {}, ("drop",)),
        Node("linear", "fc before its activation", ("drop",), {}, ("fc",)),
        Node("softmax", "fc", ("fc before its activation",)),
    )


def test_keras_3_s_tensors_with_a_history() -> None:
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": ["images", 0, 0]}}
    other = {"class_name": "__keras_tensor__", "config": {"keras_history": ["relu", 0, 0]}}
    relu = {**layer("ReLU", "relu"), "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}
    both = {**layer("Concatenate", "both"), "inbound_nodes": [{"args": [[tensor, other]], "kwargs": {}}]}
    inputs = [step.inputs for step in graph(layer("InputLayer", "images"), relu, both)]
    assert inputs == [(), ("images",), ("images", "relu")]


def test_a_model_inside_a_model_is_its_steps_under_its_name() -> None:
    inner = {
        "class_name": "Functional",
        "name": "base",
        "config": {
            "name": "base",
            "layers": [layer("InputLayer", "x"), layer("Flatten", "flat", "x")],
            "output_layers": [["flat", 0, 0]],
        },
        "inbound_nodes": [[["images", 0, 0, {}]]],
    }
    steps = graph(layer("InputLayer", "images"), inner, layer("Dense", "fc", "base"))
    assert [(step.op, step.name, step.inputs) for step in steps] == [
        ("input", "images", ()),
        ("identity", "base/x", ("images",)),
        ("flatten", "base/flat", ("base/x",)),
        ("identity", "base", ("base/flat",)),
        ("linear", "fc", ("base",)),
    ]


@pytest.mark.parametrize("as_list", [True, False], ids=["Keras 1", "Keras 2"])
def test_a_sequence_is_chained_and_begins_with_the_images(as_list: bool) -> None:
    layers = [layer("Flatten", "flat"), layer("Dense", "fc")]
    model = {"class_name": "Sequential", "config": layers if as_list else {"layers": layers}}
    steps = read_graph(json.dumps(model), "m.h5")
    assert [(step.op, step.name) for step in steps] == [("input", "input"), ("flatten", "flat"), ("linear", "fc")]
    assert [step.inputs for step in steps[1:]] == [("input",), ("flat",)]


@pytest.mark.parametrize(
    ("config", "op"),
    [
        ({}, "relu"),
        ({"negative_slope": 0.0, "max_value": None}, "relu"),
        ({"max_value": 6.0}, "ReLU with max_value 6.0"),
    ],
)
def test_a_relu_is_one_only_with_its_plain_values(config: dict[str, Any], op: str) -> None:
    assert graph(layer("ReLU", "relu", "x", **config))[0].op.startswith(op)


def test_a_layer_that_was_called_as_in_training_is_named_so() -> None:
    called = {**layer("BatchNormalization", "norm"), "inbound_nodes": [[["x", 0, 0, {"training": True}]]]}
    assert graph(called)[0] == Node("BatchNormalization as in training", "norm", ("x",))
    assert graph(layer("BatchNormalization", "norm", "x"))[0].op == "norm"


@pytest.mark.parametrize("config", ["[]", "{}", "{", '{"config": {"layers": [3]}}', '{"config": {"layers": [{}]}}'])
def test_what_is_no_configuration_is_said(config: str) -> None:
    with pytest.raises(FormatError, match=r"m\.h5: the model's configuration is not Keras's"):
        read_graph(config, "m.h5")
    assert read_graph("", "m.h5") == ()


def test_a_configuration_without_layers_says_what_to_do() -> None:
    """KerasHub's .keras files hold the arguments of its classes (keras_hub 0.32)."""
    config = {"class_name": "DenseNetImageClassifier", "config": {"num_classes": 5, "pooling": "max"}}
    with pytest.raises(FormatError, match=r"m.keras: .* class DenseNetImageClassifier, .* write its weights alone"):
        read_graph(json.dumps(config), "m.keras")
