"""Whose names a file uses, and which of them are no weights."""

from __future__ import annotations

import pytest
import torch
from densenet_sources import CIFAR, SMALL, as_source, checkpoint, state_dict

from densezoo.conversion.compare import dropped_kind, is_counter
from densezoo.conversion.match import convert
from densezoo.conversion.names import candidates
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.types import KeyMap


@pytest.mark.parametrize(
    "name",
    [
        "moments.features.conv0.weight",
        "global_step",
        "learning_rate",
        "moment1.a",
        "n_averaged",
        "criterion.weight",
        "lr",
    ],
)
def test_what_rides_along_is_dropped_by_kind(name: str) -> None:
    _, _, report = convert(checkpoint({**state_dict(SMALL), name: torch.zeros(3)}))
    assert sum(report.dropped.values()) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("moment1.features.conv0.weight", "optimiser moment"),
        ("features.norm0.num_batches_tracked", "counter"),
        ("block1/bn1/N", "counter"),
        ("best_top1", "training counter"),
        ("random_flip/seed_generator/seed_generator_state", "random state"),
        ("head.loss.weight", "loss weight"),
        ("features.conv0.weight", None),
        ("classifier.bias", None),
        ("moments", None),
        ("features.statistics.weight", None),
        ("lr_head.weight", None),
        ("steps.weight", None),
        ("criterion_net.weight", None),
    ],
)
def test_only_whole_names_are_dropped(name: str, kind: str | None) -> None:
    assert dropped_kind(name) == kind


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (torch.tensor(3), True),
        (torch.tensor(3, dtype=torch.int32), True),
        (torch.tensor([3]), False),
        (torch.tensor(3.0), False),
        (torch.tensor(True), False),
    ],
)
def test_counters_are_single_whole_numbers(tensor: torch.Tensor, expected: bool) -> None:
    assert is_counter(tensor) is expected


@pytest.mark.parametrize("keymap", KEYMAPS, ids=lambda keymap: keymap.name)
@pytest.mark.parametrize("prefix", ["", "module.", "a.b/c_"])
def test_every_source_s_own_table_is_among_the_candidates(keymap: KeyMap, prefix: str) -> None:
    arch = SMALL if "stem.norm0" in keymap.templates else CIFAR
    tensors = {prefix + name: tensor.to("meta") for name, tensor in as_source(keymap, arch).items()}
    found = {naming.keymap.name: naming for naming in candidates(checkpoint(tensors, keymap))}
    ranked = "{rank}" in keymap.templates["stem.conv0"][0]  # by readers that add no prefix
    assert (keymap.name in found) is not (ranked and prefix != "")
    assert ranked or found[keymap.name].prefix == prefix


def test_a_prefix_ends_where_a_name_can_and_is_the_shortest() -> None:
    anchor = "features.denseblock1.denselayer1.conv1.weight"

    def prefixes(*names: str) -> list[str]:
        tensors = {name: torch.zeros(1) for name in names}
        return [naming.prefix for naming in candidates(checkpoint(tensors)) if naming.keymap.name == "torchvision"]

    assert prefixes(f"my{anchor}") == []
    assert prefixes(f"ema.net.{anchor}", f"net.{anchor}") == ["net."]
    assert prefixes("conv1.weight") == []


def test_a_table_that_asks_for_a_fact_is_tried_with_it_alone() -> None:
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == "keras-theano")
    tensors = as_source(keymap, SMALL)
    names = [[naming.keymap.name for naming in candidates(checkpoint(tensors, of))] for of in (keymap, KEYMAPS[0])]
    assert "keras-theano" in names[0]
    assert "keras-theano" not in names[1]
    assert all("keras" in found for found in names)
