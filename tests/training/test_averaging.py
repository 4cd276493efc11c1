from __future__ import annotations

import copy
import io

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import nn

from densezoo.training.averaging import Average


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def disturb(trained: nn.Module) -> None:
    """As a step of training does: other weights, other running statistics, one batch more."""
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(torch.randn_like(parameter))
    trained.train()(torch.randn(4, 1, 5, 5))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))


def test_before_an_update_it_is_the_network_of_then() -> None:
    trained = network()
    average = Average(trained, 0.9)
    assert same(average.network, trained)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    disturb(trained)
    assert not same(average.network, trained)


def test_an_update_moves_weights_and_statistics_and_takes_the_count_over() -> None:
    """timm's average of the same decay; the decay of the n-th update is (1 + n) / (10 + n) while that is less."""
    trained = network()
    average, theirs = Average(trained, 0.25), ModelEmaV3(trained, decay=2 / 11)
    disturb(trained)
    average.update(trained)
    theirs.update(trained)
    for decay in (3 / 12, 0.25, 0.25):  # from the second on it is 0.25
        for ours, timm_s in zip(
            average.network.state_dict().values(), theirs.module.state_dict().values(), strict=True
        ):
            assert torch.allclose(ours, timm_s, atol=1e-6)
        ours, newest = average.network.state_dict(), trained.state_dict()
        assert ours["1.num_batches_tracked"] == newest["1.num_batches_tracked"] > 0
        assert not torch.allclose(ours["1.running_var"], newest["1.running_var"])
        disturb(trained)
        theirs.decay = decay
        average.update(trained)
        theirs.update(trained)


def test_it_goes_on_where_it_was() -> None:
    """Through a file that is read without running code from it; the count of updates goes with it."""
    trained = network()
    average = Average(trained, 0.999)
    for _ in range(3):
        disturb(trained)
        average.update(trained)
    stored = io.BytesIO()
    torch.save(average.state_dict(), stored)
    resumed = Average(network(), 0.999)
    resumed.load_state_dict(torch.load(io.BytesIO(stored.getvalue()), weights_only=True))
    further = copy.deepcopy(trained)
    disturb(further)
    average.update(further)
    resumed.update(further)
    assert same(average.network, resumed.network)
