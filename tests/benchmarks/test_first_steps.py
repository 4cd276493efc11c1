"""The first steps of a training, taken by the loop's own parts."""

from __future__ import annotations

import dataclasses

import pytest
from planned_training import RECIPE, a_run

from densezoo.benchmarks.first_steps import take_first_steps
from densezoo.errors import BenchmarkError, DatasetError, TrainingError

SIX = dataclasses.replace(RECIPE, batch_size=6)


def test_each_step_is_measured() -> None:
    recipe = dataclasses.replace(RECIPE, batch_size=6, accumulate=2)
    found = take_first_steps(a_run(recipe), 3, 100)
    assert (found.images, len(found.seconds), len(found.losses)) == (6, 3, 3)
    assert len(set(found.losses)) == 3


def test_a_lost_loss_is_no_figure() -> None:
    with pytest.raises(TrainingError, match="the loss is nan at iteration [23]"):
        take_first_steps(a_run(dataclasses.replace(RECIPE, batch_size=6, lr=1e30)), 4, 100)


def test_fewer_images_than_a_batch() -> None:
    with pytest.raises(DatasetError, match="6 training images, fewer than one batch of 24"):
        take_first_steps(a_run(), 1, 100)


@pytest.mark.parametrize("steps", [-1, 0, 21])
def test_steps_that_the_training_has_not(steps: int) -> None:
    with pytest.raises(BenchmarkError, match=f"--steps {steps}: expected a number from 1 to 20, as the training has"):
        take_first_steps(a_run(SIX), steps, 2)


def test_a_batch_of_noise_comes_as_often_as_there_are_steps() -> None:
    """Six images are one batch, and the recipe has 10 epochs."""
    assert len(take_first_steps(a_run(SIX), 12, 2).losses) == 12
