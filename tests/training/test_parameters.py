from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.training.parameters import learning_rate_scales, parameter_groups
from densezoo.types import Recipe, Start

ARCH = DenseNetArchitecture(
    stem="cifar_norm", growth_rate=4, block_config=(1, 1), num_init_features=4, in_chans=1, num_classes=3
)
FROZEN = ("stem", "block1", "transition1")


def recipe(start: Start | None = None, **fields: Any) -> Recipe:
    return Recipe(epochs=1, batch_size=4, start=start, **fields)


def test_every_parameter_is_in_one_group() -> None:
    network = build_model(ARCH)
    groups = parameter_groups(network, recipe(weight_decay=0.25), ARCH)
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in network.parameters()}
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert {group["weight_decay"] for group in groups} == {0.25}
    assert {group["lr_scale"] for group in groups} == {1.0}
    named = dict(network.named_parameters())
    assert all(named[name] is p for group in groups for name, p in zip(group["names"], group["params"]))
    torch.optim.SGD(groups, lr=0.1).step()


def test_norms_and_biases_may_go_without_decay() -> None:
    groups = parameter_groups(build_model(ARCH), recipe(decay_norms=False, weight_decay=0.25), ARCH)
    decayed = [name for group in groups if group["weight_decay"] for name in group["names"]]
    others = [name for group in groups if not group["weight_decay"] for name in group["names"]]
    assert all("conv" in name or name == "classifier.weight" for name in decayed)
    assert all("norm" in name or name == "classifier.bias" for name in others)
    assert "features.norm5.bias" in others
    assert {group["weight_decay"] for group in groups} == {0.0, 0.25}


def test_rates_fall_from_the_classifier_to_the_stem() -> None:
    start = Start("x", lr_scales={"classifier": 10.0, "block1": 2.0})
    scales = learning_rate_scales(recipe(start, layer_decay=0.5), ARCH)
    assert scales == {
        "stem": 1 / 32, "block1": 2 / 16, "transition1": 1 / 8, "block2": 1 / 4, "head": 1 / 2, "classifier": 10.0
    }  # fmt: skip
    groups = parameter_groups(build_model(ARCH), recipe(start, layer_decay=0.5), ARCH)
    assert {group["stage"]: group["lr_scale"] for group in groups} == scales
    frozen = learning_rate_scales(recipe(Start("x", freeze=("stem", "block2")), layer_decay=0.5), ARCH)
    assert frozen == {"block1": 1 / 16, "transition1": 1 / 8, "head": 1 / 2, "classifier": 1.0}


@pytest.mark.parametrize("copied", [False, True])
def test_a_frozen_stage_stays_as_it_is(copied: bool) -> None:
    """Its weights and its batch norms' statistics, over a step; a copy of the network (an average) is frozen, too."""
    network: nn.Module = build_model(ARCH)
    groups = parameter_groups(network, recipe(Start("x", freeze=FROZEN)), ARCH)
    network = copy.deepcopy(network) if copied else network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.SGD(groups if not copied else network.parameters(), lr=0.1)
    network.eval()
    network.train()
    network(torch.randn(4, 1, 8, 8)).square().sum().backward()
    optimiser.step()
    changed = {name for name, tensor in network.state_dict().items() if not tensor.equal(before[name])}
    still = {name for name in before if "conv0" in name or "norm0" in name or "block1" in name or "transition" in name}
    assert changed.isdisjoint(still)
    assert changed | still == before.keys()  # and everything else moves
    assert network.training


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (Start("x", freeze=("blok1",)), UnknownNameError, "there is no stage 'blok1'; did you mean 'block1'"),
        (Start("x", lr_scales={"clasifier": 2.0}), UnknownNameError, "did you mean 'classifier'"),
        (Start("x", freeze=(*FROZEN, "block2", "head", "classifier")), ConfigError, "every stage is frozen"),
        (Start("x", freeze=("stem",), lr_scales={"stem": 2.0}), ConfigError, "stem is frozen and has a learning rate"),
        (Start("x", lr_scales={"stem": 0.0}), ConfigError, "stem is 0.0; expected a positive number"),
    ],
)
def test_what_can_t_be_meant_is_refused(start: Start, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parameter_groups(build_model(ARCH), recipe(start), ARCH)
