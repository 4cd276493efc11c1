"""The closed set of layers that Torch7's modules become."""

from __future__ import annotations

import dataclasses

import pytest

from densezoo.formats.torch7 import layers, modules
from densezoo.formats.torch7.objects import Tensor

CLASSES = [value for value in vars(layers).values() if isinstance(value, type) and value.__module__ == layers.__name__]


def test_the_union_has_every_class() -> None:
    assert sorted(str(layers.Layer).split(" | ")) == sorted(cls.__name__ for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_layer_says_first_where_it_is_and_never_changes(cls: type) -> None:
    """Messages, and comparing a deep copy with its original, rely on ``label`` being apart from what is computed."""
    fields = dataclasses.fields(cls)
    assert fields[0].name == "label"
    layer = cls(*["module 1"] * len(fields))
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.label = "elsewhere"


def test_only_dense_layers_hold_layers_and_all_others_their_own_tensors() -> None:
    """`network.tensors_of` looks for tensors in the fields of each, and for layers in a `Dense` alone."""
    holds = {
        cls.__name__: [field.name for field in dataclasses.fields(cls) if "Layer" in str(field.type)] for cls in CLASSES
    }
    assert {name: found for name, found in holds.items() if found} == {"Dense": ["layers"]}
    with_tensors = {
        cls.__name__ for cls in CLASSES if any(Tensor.__name__ in str(f.type) for f in dataclasses.fields(cls))
    }
    assert with_tensors == {"Conv", "Norm", "Linear"}


def test_every_class_but_the_containers_is_what_some_module_becomes() -> None:
    annotated = {make.__annotations__["return"] for make in modules.LEAVES.values()}
    assert annotated == {cls.__name__ for cls in CLASSES} - {"Dense", "Other"}
