"""Each optimiser is held to torch's or timm's own, as timm's factory makes it of the same options."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from timm.optim._optim_factory import create_optimizer_v2
from torch import Tensor, nn

from densezoo.errors import UnknownNameError
from densezoo.training.optimisers import OPTIMISERS, Groups, get_optimiser
from densezoo.types import Recipe

RECIPE = Recipe(epochs=1, batch_size=1, lr=0.03, momentum=0.8, weight_decay=0.02, betas=(0.8, 0.95), eps=1e-3)
ADAM_S = {"betas": (0.8, 0.95), "eps": 1e-3}


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5))


def train(network: nn.Module, optimiser: torch.optim.Optimizer, batches: Iterator[Tensor]) -> list[Tensor]:
    for images in batches:
        optimiser.zero_grad()
        network(images).square().mean().backward()
        optimiser.step()
    return [parameter.detach().clone() for parameter in network.parameters()]


def noise(count: int, seed: int = 0) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(4, 3, 8, 8, generator=generator) for _ in range(count))


def equal(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize(
    ("name", "timm_s", "options"),
    [
        ("sgd", "sgd", {"momentum": 0.8}),
        ("adamw", "adamw", ADAM_S),
        ("rmsprop", "rmsproptf", {"momentum": 0.8, "eps": 1e-3}),
        ("lamb", "lamb", {**ADAM_S, "max_grad_norm": None}),
        ("muon", "nmuon", {**ADAM_S, "momentum": 0.8}),
    ],
)
def test_it_is_the_library_s(name: str, timm_s: str, options: dict[str, Any]) -> None:
    """timm's factory gives the same weights, to the bit, of the same recipe; another learning rate gives others."""
    network = small_network()
    ours = train(network, OPTIMISERS[name]([{"params": list(network.parameters())}], RECIPE), noise(3))
    network = small_network()
    theirs = create_optimizer_v2(
        list(network.parameters()), timm_s, lr=0.03, weight_decay=0.02, filter_bias_and_bn=False, **options
    )
    assert equal(ours, train(network, theirs, noise(3)))
    assert not equal(ours, [parameter.detach() for parameter in small_network().parameters()])


def test_a_recipe_s_own_nesterov() -> None:
    def trained(nesterov: bool) -> list[Tensor]:
        network = small_network()
        recipe = Recipe(epochs=1, batch_size=1, nesterov=nesterov)
        return train(network, get_optimiser("sgd")([{"params": list(network.parameters())}], recipe), noise(3))

    network = small_network()
    plain = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert equal(trained(False), train(network, plain, noise(3)))
    assert not equal(trained(False), trained(True))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_groups_have_their_own_factor_and_decay(name: str) -> None:
    """``lr_scale`` stays with the group, for the loop; a decay of 0 leaves weights without gradients as they are."""
    network = small_network()
    groups: Groups = [
        {"params": list(network[0].parameters()), "lr_scale": 0.5, "weight_decay": 0.0},
        {"params": list(network[3].parameters()), "lr_scale": 1.0, "weight_decay": 0.2},
    ]
    optimiser = OPTIMISERS[name](groups, Recipe(epochs=1, batch_size=1, weight_decay=0.1, momentum=0.9))
    assert [(group["lr_scale"], group["weight_decay"]) for group in optimiser.param_groups] == [(0.5, 0.0), (1.0, 0.2)]
    before = small_network()
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    stayed = {name for name, value in network.named_parameters() if torch.equal(value, before.get_parameter(name))}
    assert "0.weight" in stayed
    assert "3.weight" not in stayed


@pytest.mark.parametrize("name", OPTIMISERS)
def test_its_state_goes_on_where_it_was(name: str) -> None:
    """Through a file that is read without running code from it."""

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        network = small_network()
        return network, OPTIMISERS[name]([{"params": list(network.parameters()), "lr_scale": 1.0}], RECIPE)

    network, optimiser = fresh()
    train(network, optimiser, noise(2))
    stored = io.BytesIO()
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict()}, stored)
    undisturbed = train(network, optimiser, noise(2, seed=1))
    network, optimiser = fresh()
    state = torch.load(io.BytesIO(stored.getvalue()), weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    assert equal(train(network, optimiser, noise(2, seed=1)), undisturbed)


def test_muon_takes_kernels_and_matrices_and_leaves_the_rest_to_adamw() -> None:
    network = small_network()
    optimiser = get_optimiser("muon")([{"params": list(network.parameters())}], RECIPE)
    train(network, optimiser, noise(1))
    by_muon = {name for name, value in network.named_parameters() if "momentum_buffer" in optimiser.state[value]}
    by_adamw = {name for name, value in network.named_parameters() if "exp_avg_sq" in optimiser.state[value]}
    assert by_muon == {"0.weight", "3.weight"}
    assert by_adamw == {"0.bias", "1.weight", "1.bias", "3.bias"}


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no optimiser 'sdg'; did you mean 'sgd'"):
        get_optimiser("sdg")


def test_another_one_is_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def adagrad(groups: Groups, recipe: Recipe) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(groups, lr=recipe.lr)

    monkeypatch.setitem(OPTIMISERS, "adagrad", adagrad)
    network = small_network()
    assert isinstance(get_optimiser("adagrad")([{"params": list(network.parameters())}], RECIPE), torch.optim.Adagrad)
