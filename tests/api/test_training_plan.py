"""A training's plan from a config, with the dataset and without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_training import CONFIG, SMALL

from densezoo.api.training_plan import plan_training
from densezoo.errors import ConfigError, DatasetError, UnknownNameError
from densezoo.paths import ROOT

CIFAR = ROOT / "configs/cifar/densenet_bc_100_12_cifar10plus.py"
TINY = {"model.growth_rate": 4, "model.block_config": (1, 1, 1)}


def test_of_a_dataset_that_is_here() -> None:
    plan = plan_training(CONFIG, overrides=SMALL, device="cpu", seconds=0.0)
    assert (plan.images.training, plan.images.test, plan.images.found) == (898, 899, True)
    assert (plan.steps_per_epoch, plan.image_size, plan.flops > 0) == (37, (8, 8), True)
    with pytest.raises(DatasetError, match="898 training images, fewer than one batch of 1000"):
        plan_training(CONFIG, overrides={**SMALL, "train.batch_size": 1000}, device="cpu", seconds=0.0)


def test_of_a_dataset_that_is_not() -> None:
    """Its size is published, and noise has the shape of its images; nothing says how long reading takes."""
    plan = plan_training(CIFAR, overrides=TINY, device="cpu", seconds=0.01)
    assert (plan.images.training, plan.images.test, plan.images.found) == (50_000, 10_000, False)
    assert (plan.steps_per_epoch, plan.image_size) == (781, (32, 32))
    assert plan.speed is not None
    assert plan.speed.reading is None
    assert plan.seconds is not None


def test_of_a_dataset_that_nobody_knows() -> None:
    plan = plan_training(CIFAR, overrides={**TINY, "dataset": "imagefolder"}, device="cpu", seconds=0.0)
    assert (plan.images.training, plan.steps_per_epoch, plan.image_size) == (None, None, (32, 32))


def test_mistakes_are_refused_as_by_the_training(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="there is no optimiser 'sdg'"):
        plan_training(CONFIG, overrides={"train.optimiser": "sdg"})
    with pytest.raises(DatasetError, match="there is no such file or folder"):
        plan_training(CIFAR, data_root=tmp_path / "nowhere", overrides=TINY)
    path = tmp_path / "digits.py"
    path.write_text('model = dict(in_chans=1, num_classes=10)\ndataset = "digits"\nprotocol = "digits"\n')
    with pytest.raises(ConfigError, match="has no 'train' entry"):
        plan_training(path)


def test_a_caller_s_random_numbers_go_on() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    plan_training(CONFIG, overrides=SMALL, device="cpu", seconds=0.01)
    assert torch.equal(torch.get_rng_state(), before)
