from __future__ import annotations

import json
from typing import Any

from densezoo.results.site.payload import steps_of, zoo_values
from densezoo.results.site.zoo import Zoo


def test_every_current_accuracy_is_in_it(zoo: Zoo) -> None:
    values: Any = json.loads(json.dumps(zoo_values(zoo)))
    models = {model["name"]: model for model in values["models"]}
    assert models.keys() == zoo.specs.keys()
    own = models["densenet121.tv_in1k"]
    assert own["training"] == "densenet121.lua_in1k"
    figures = [(a["dataset"], a["label"], a.get("published")) for a in own["accuracies"]]
    assert ("imagenet1k", "torchvision", "74.434") in figures
    assert ("imagenet1k", "torchvision", "74.65") not in figures  # the older one
    assert sum(bool(a.get("own")) for a in own["accuracies"]) == 1
    assert {a["label"] for model in models.values() for a in model["accuracies"]} >= {"cifar-dice+openvino+int8"}
    assert {a.get("protocol", a["label"]) for m in models.values() for a in m["accuracies"]} >= {"cifar-dice"}
    assert values["datasets"]["imagenet1k"] == "ImageNet-1k"
    assert values["protocols"]["timm"] == steps_of("timm")
    assert steps_of("timm")["filter"] == "bicubic"
