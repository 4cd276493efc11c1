"""What a training will take: counts that are held to what autograd and the optimiser really keep."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from planned_training import ARCH, RECIPE, a_run
from torch import nn

from densezoo.data.images import ArrayImages
from densezoo.errors import ImageError
from densezoo.families import build_model
from densezoo.training import plan
from densezoo.training.loop import Batch, Learner
from densezoo.training.plan import Images, Memory, SavedTensors, Speed, TrainingPlan, make_plan

FOUND, PUBLISHED = Images(100, 50, True), Images(100, 50, False)


def test_what_is_kept_for_backward_counts_once_and_without_weights() -> None:
    network = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))
    images = torch.randn(2, 5)
    with SavedTensors(network) as saved:
        kept = network(images)
        torch.autograd.backward(kept.sum())
    # the first layer keeps its input, ReLU its output, which is the second layer's input
    assert saved.bytes == 4 * (2 * 5 + 2 * 7)


def test_what_backward_computes_again_is_not_kept() -> None:
    network = nn.Linear(5, 5)

    def block(x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(torch.sigmoid(torch.sigmoid(network(x))))

    with SavedTensors(network) as saved:
        kept = torch.utils.checkpoint.checkpoint(block, torch.randn(2, 5, requires_grad=True), use_reentrant=True)
        torch.autograd.backward(kept.sum())
    assert saved.bytes == 4 * 2 * 5


def test_the_counts_are_those_of_the_real_parts() -> None:
    plan = make_plan(a_run(dataclasses.replace(RECIPE, ema=0.9, accumulate=2)), FOUND, seconds=0.0)
    network = build_model(ARCH)
    floats = sum(each.numel() for each in network.parameters())
    buffers = [*network.buffers()]
    weights = 4 * floats + sum(each.numel() * each.element_size() for each in buffers)
    assert (plan.parameters, plan.trained, plan.image_size) == (floats, floats, (8, 8))
    assert plan.speed is None
    assert dataclasses.replace(plan.memory, an_image=0) == Memory(
        weights=weights, gradients=4 * floats, optimiser=4 * floats, average=weights, teacher=0, an_image=0, images=12
    )
    kept = []
    for number in (24, 48):  # what a step of many images keeps follows from the steps of few
        with SavedTensors(network) as saved:
            loss = nn.functional.cross_entropy(network(torch.randn(number, 1, 8, 8)), torch.zeros(number).long())
            torch.autograd.backward(loss)
        kept.append(saved.bytes)
    assert plan.memory.an_image == pytest.approx((kept[1] - kept[0]) / 24, rel=0.02)


def test_half_precision_keeps_less() -> None:
    full, half = (
        make_plan(a_run(dataclasses.replace(RECIPE, precision=precision)), FOUND, 0.0).memory.an_image
        for precision in ("float32", "bf16")
    )
    assert half < 0.8 * full


def test_steps_and_evaluations() -> None:
    plan = make_plan(a_run(dataclasses.replace(RECIPE, evaluate_every=3)), FOUND, 0.0)
    assert (plan.steps_per_epoch, plan.evaluations) == (4, 4)  # after epochs 3, 6, 9 and the last
    unknown = make_plan(a_run(), Images(None, None, False), 0.0)
    assert (unknown.steps_per_epoch, unknown.seconds) == (None, None)


def test_the_seconds_are_those_of_all_steps_and_evaluations() -> None:
    plan = TrainingPlan(
        a_run(), FOUND, (8, 8), 1, 1, 1, Memory(0, 0, 0, 0, 0, 0, 0), 1, Speed(3, 24, 0.25, 0.125, None)
    )
    assert plan.seconds == 10 * 4 * 24 * 0.25 + 10 * 50 * 0.125
    reading = dataclasses.replace(plan, speed=Speed(3, 24, 0.25, 0.125, 0.5))
    assert reading.seconds == 10 * 4 * 24 * (0.25 + 0.5) + 10 * 50 * (0.125 + 0.5)
    by_workers = dataclasses.replace(reading, run=dataclasses.replace(a_run(), workers=4))
    assert by_workers.seconds == 10 * 4 * 24 * (0.25 + 0.125) + 10 * 50 * (0.125 + 0.125)
    on_gpu = dataclasses.replace(by_workers, run=dataclasses.replace(a_run(), workers=4, device="cuda"))
    assert on_gpu.seconds == 10 * 4 * 24 * 0.25 + 10 * 50 * 0.125
    assert dataclasses.replace(on_gpu, processes=2).seconds == on_gpu.seconds / 2


def test_it_is_measured_in_steps_of_this_machine() -> None:
    plan = make_plan(a_run(), FOUND, seconds=0.05)
    assert plan.speed is not None
    assert plan.speed.steps >= 1
    assert 4 <= plan.speed.images <= 24
    assert min(plan.speed.training, plan.speed.evaluating, plan.speed.reading or 0.0) > 0
    noise = make_plan(a_run(), PUBLISHED, seconds=0.05)
    assert noise.speed is not None
    assert noise.speed.reading is None  # of the noise nobody wants to know it


class Broken(ArrayImages):
    """Images whose bytes are none."""

    def read(self, index: int) -> bytes:  # type: ignore[override]
        return b"no image"


def test_a_slow_step_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a step takes longer than a measured one may, the second of the two that are counted is the measured one."""
    taken: list[int] = []
    real = plan._step

    def step(learner: Learner, batch: Batch) -> None:
        taken.append(len(batch[0]))
        real(learner, batch)

    monkeypatch.setattr(plan, "_step", step)
    monkeypatch.setattr(plan, "SECONDS_A_STEP", 0.0)
    speed = make_plan(a_run(), FOUND).speed
    assert speed is not None
    assert (taken, speed.steps, speed.images) == ([2, 4], 1, 4)
    assert speed.training > 0
    assert speed.evaluating > 0


def test_an_image_that_can_t_be_read_is_named() -> None:
    run = a_run()
    broken = Broken("noise", ["a"], [0], pixels=np.zeros((1, 8, 8), np.uint8))
    with pytest.raises(ImageError, match="noise"):
        make_plan(dataclasses.replace(run, images=dataclasses.replace(run.images, images=broken)), PUBLISHED, 0.0)
