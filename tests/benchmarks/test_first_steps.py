"""The first steps of a training, taken by the loop's own parts."""

from __future__ import annotations

import dataclasses

import pytest
from planned_training import RECIPE, a_run

from densezoo.benchmarks.first_steps import take_first_steps
from densezoo.errors import DatasetError, TrainingError


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
