from __future__ import annotations

from densezoo.results.site.columns import (
    Row,
    accuracy_columns,
    availability,
    choices,
    headline_text,
    model_columns,
)
from densezoo.results.site.zoo import Zoo


def test_a_model_s_row(zoo: Zoo) -> None:
    columns = model_columns(zoo)
    row = {column.name: column.text(zoo.headlines["densenet121.tv_in1k"]) for column in columns}
    speed = row.pop("speed")
    assert float(speed) > 0
    assert row == {
        "model": "densenet121.tv_in1k",
        "dataset": "ImageNet-1k",
        "protocol": "torchvision",
        "top1": "74.434",
        "top5": "91.972",
        "measured": "",
        "params": "7.98",
        "flops": "2.83",
        "publisher": "torchvision",
        "license": "BSD-3-Clause",
        "weights": "loadable",
    }
    assert [column.name for column in columns if column.screens == "any"] == ["model", "top1", "params"]
    attributes = {column.name: column.attributes for column in columns}
    assert attributes["model"] == ""
    assert attributes["license"] == ' class="widest"'
    assert attributes["top5"] == ' class="number wide"'


def test_measured_beside_published_with_a_verdict(zoo: Zoo) -> None:
    columns = accuracy_columns(zoo)
    (own,) = (a for a in zoo.accuracies["densenet_bc_100_12.dice_cifar10"] if a.label == "cifar-dice")
    row = {column.name: column.text(own) for column in columns}
    assert row["measured"].startswith(f"{own.measured.top1:.2f}" if own.measured else "?")
    assert row["images"] == "10,000"
    assert " to " in row["interval"]
    assert row["verdict"]
    assert all(column.text(zoo.headlines["densenet264d.untrained"]) == "" for column in columns[3:])


def test_what_can_be_chosen_is_what_rows_have(zoo: Zoo) -> None:
    rows = [Row(a, "", {"family": "DenseNet"}) for a in zoo.headlines.values()]
    found = choices(rows, model_columns(zoo), ("weights", "family", "nothing"))
    assert found == {"weights": ["can't be read", "loadable", "none published", "withdrawn"], "family": ["DenseNet"]}


def test_availability_and_headline(zoo: Zoo) -> None:
    assert availability(zoo.specs["densenet264d.untrained"]) == "none published"
    assert availability(zoo.specs["densenet121.onnxzoo_turnkey_timm"]) == "can't be read"
    assert availability(zoo.specs["densenet121.lua_in1k"]) == "withdrawn"
    digits = zoo.headlines["densenet_bc_22_8.densezoo_digits"]
    assert headline_text(digits)
