"""A key table as a file uses it: prefixes, alternative names, shapes, depths."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.families import get_family
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.families.naming import Naming
from densezoo.types import LONE_MATRIX, KeyMap
from densezoo.types.architecture import MAX_LAYERS

TABLES = {keymap.name: keymap for keymap in KEYMAPS}


def naming(source: str | KeyMap = "torchvision", prefix: str = "", **shapes: tuple[int, ...]) -> Naming:
    """A file of tensors of these shapes; ``__`` stands for a point."""
    tensors = {name.replace("__", "."): torch.empty(shape, device="meta") for name, shape in shapes.items()}
    return Naming(get_family("densenet"), TABLES[source] if isinstance(source, str) else source, prefix, tensors)


def test_names_with_their_prefix() -> None:
    used = naming(prefix="module.")
    assert used.keys("layer.norm1", "running_var", 2, 3) == (
        "module.features.denseblock2.denselayer3.norm1.running_var",
    )
    assert naming("caffe").keys("layer.norm1", "running_mean", 2, 3) == ("conv3_3/x1/bn/0", "conv3_3/x1/bn/2")


def test_what_a_source_has_not_has_no_name() -> None:
    assert naming("andreasveit").keys("stem.norm0", "weight") is None
    assert naming().keys("classifier", "running_mean") is None
    assert naming().keys("layer.gain", "weight") is None


def test_of_alternative_names_it_is_the_one_that_is_there_or_the_first() -> None:
    assert naming(fc__weight=(5, 8)).keys("classifier", "weight") == ("fc.weight",)
    assert naming(fc__weight=(5, 8)).keys("classifier", "bias") == ("classifier.bias",)
    assert naming().keys("classifier", "weight") == ("classifier.weight",)


def test_a_lone_matrix_is_the_classifier_whatever_its_name() -> None:
    assert LONE_MATRIX in TABLES["keras"].templates["classifier"]
    kernel = {"mine/kernel": (8, 5), "conv/kernel": (1, 1, 3, 8)}
    alone = dataclasses.replace(naming("keras"), tensors={n: torch.empty(s) for n, s in kernel.items()})
    assert alone.keys("classifier", "weight") == ("mine/kernel",)
    two = dataclasses.replace(alone, tensors={**alone.tensors, "other/kernel": torch.empty(8, 5)})
    assert two.keys("classifier", "weight") == ("predictions/kernel",)


def test_shapes_are_those_that_the_operation_makes() -> None:
    named = {"conv1_conv/kernel": torch.empty(7, 7, 3, 64), "predictions/kernel": torch.empty(9)}
    used = Naming(get_family("densenet"), TABLES["keras"], "", named)
    assert used.shape("stem.conv0") == (64, 3, 7, 7)
    assert used.shape("classifier") is None or used.shape("classifier") == (9,)
    assert used.shape("final.norm") is None
    assert [used.side("stem.conv0", axis, 0) for axis in (0, 2, 4)] == [64, 7, 0]
    assert used.side("final.norm", 0, 12) == 12
    broken = dataclasses.replace(used, tensors={"conv1_conv/kernel": torch.empty(64)})
    assert broken.shape("stem.conv0") is None
    empty = dataclasses.replace(used, tensors={"conv1_conv/kernel": torch.empty(7, 7, 3, 0)})
    assert empty.side("stem.conv0", 0, 5) == 5


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), max_size=4), st.integers(0, 3))
def test_depths_count_consecutive_layers_of_consecutive_blocks(depths: list[int], gap: int) -> None:
    name = "features.denseblock{}.denselayer{}.conv1.weight"
    named = {
        name.format(block, layer): torch.empty(1, 1, 1, 1, device="meta")
        for block, depth in enumerate(depths, start=1)
        for layer in range(1, depth + 1)
    }
    beyond = {
        name.format(len(depths) + 1 + 1, 1): torch.empty(1, 1, 1, 1, device="meta"),  # after a block that is missing
        name.format(1, (depths or [0])[0] + 1 + 1 + gap): torch.empty(1, 1, 1, 1, device="meta"),  # after a layer
    }
    used = Naming(get_family("densenet"), TABLES["torchvision"], "", {**named, **beyond} if depths else named)
    assert used.depths("layer.conv1") == tuple(depths)


def test_depths_end_at_a_limit() -> None:
    name = "features.denseblock1.denselayer{}.conv1.weight"
    named = {name.format(i): torch.empty(1, 1, 1, 1, device="meta") for i in range(1, MAX_LAYERS + 9)}
    assert Naming(get_family("densenet"), TABLES["torchvision"], "", named).depths("layer.conv1") == (MAX_LAYERS,)


def test_ranks_stand_for_names() -> None:
    used = naming("keras3").ranked({("layer.conv2", 2, 3): 17})
    assert used.keys("layer.conv2", "weight", 2, 3) == ("conv.17.kernel",)
    assert used.keys("layer.conv2", "weight", 2, 4) == ("conv.-1.kernel",)


@pytest.mark.parametrize("source", TABLES)
def test_a_parameter_is_made_of_as_many_tensors_as_it_has_names(source: str) -> None:
    keymap = TABLES[source]
    for role in keymap.templates:
        kind = get_family("densenet").kind_of(role)
        for param, made in keymap.params[kind].items():
            keys = naming(source).keys(role, param, 1, 1)
            assert keys is not None
            assert len(keys) == len(set(keys)) == len(made.ends)
