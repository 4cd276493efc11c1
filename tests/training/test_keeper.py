"""What a state puts back: it is the same learner that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from densezoo.evaluation import distributed
from densezoo.training.averaging import Average
from densezoo.training.keeper import FolderKeeper
from densezoo.training.loop import Ingredients, Learner, Progress
from densezoo.training.optimisers import OPTIMISERS
from densezoo.training.state import last_state
from densezoo.types import Recipe


def make_learner(name: str) -> Learner:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Dropout(), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 3))
    network = network.to(memory_format=torch.channels_last)
    recipe = Recipe(epochs=1, batch_size=4, optimiser=name, precision="fp16", channels_last=True)
    ingredients = Ingredients(lambda images, labels, _: (images, labels), nn.CrossEntropyLoss(), lambda done: 0.01)
    optimiser = OPTIMISERS[name]([{"params": list(network.parameters()), "lr_scale": 0.5}], recipe)
    return Learner(network, network, optimiser, ingredients, recipe, Average(network, 0.9))


def keeper(folder: Path, learner: Learner) -> FolderKeeper:
    return FolderKeeper(folder, learner, {"train.lr": 0.1}, lambda *_: None)


def steps(learner: Learner, first: int, last: int) -> None:
    generator = torch.Generator()
    for done in range(first, last):
        generator.manual_seed(done)
        images = torch.randn(4, 2, 3, 3, generator=generator)
        learner.step(iter([(images, torch.arange(4) % 3)]), done)


def tensors(learner: Learner) -> dict[str, Tensor]:
    return dict(keeper(Path(), learner).state(Progress()).tensors)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_restored_learner_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    whole = make_learner(name)
    steps(whole, 0, 4)
    former = make_learner(name)
    steps(former, 0, 2)
    keeper(tmp_path, former).capture(Progress(step=2))()
    found = last_state(tmp_path)
    assert found is not None
    resumed = make_learner(name)
    keeper(tmp_path, resumed).restore(found[1])
    steps(resumed, 2, 4)
    expected, got = tensors(whole), tensors(resumed)
    assert expected.keys() == got.keys()
    for key, tensor in expected.items():
        assert torch.equal(tensor, got[key]), key
        assert tensor.stride() == got[key].stride(), key
    assert found[1].values["run"] == {"train.lr": 0.1}
    assert resumed.scaler.state_dict() == whole.scaler.state_dict()


def test_each_process_goes_on_with_its_own_random_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keeper(tmp_path, make_learner("sgd"))
    others = {"cpu": torch.Generator().manual_seed(7).get_state()}
    monkeypatch.setattr(distributed, "gather", lambda own: [own, others])
    state, own = kept.state(Progress()), torch.get_rng_state()
    for rank, expected in enumerate((own, others["cpu"])):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        kept.restore(state)
        assert torch.equal(torch.get_rng_state(), expected)
