"""Each schedule is held to torch's or timm's own scheduler, step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from timm.scheduler.multistep_lr import MultiStepLRScheduler
from timm.scheduler.scheduler import Scheduler
from timm.scheduler.step_lr import StepLRScheduler
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from densezoo.errors import UnknownNameError
from densezoo.training.schedules import SCHEDULES, get_schedule, learning_rate
from densezoo.types import Recipe

STEPS = 7  # an epoch


def ours(recipe: Recipe, steps_per_epoch: int = STEPS) -> list[float]:
    return [learning_rate(recipe, step, steps_per_epoch) for step in range(recipe.epochs * steps_per_epoch)]


def optimiser(lr: float) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def torch_s(scheduler: LRScheduler, count: int) -> list[float]:
    """The rates of the first steps of one of torch's schedulers, which is stepped after each."""
    rates = []
    for _ in range(count):
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def timm_s(scheduler: Scheduler, epochs: int) -> list[float]:
    """The rates of one of timm's schedulers, which its training sets by epochs: one an epoch."""
    rates = []
    for epoch in range(epochs):
        scheduler.step(epoch)
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
    return rates


def test_the_authors_steps() -> None:
    recipe = Recipe(epochs=9, batch_size=256, milestones=(3, 6))
    theirs = lr_scheduler.MultiStepLR(optimiser(0.1), [3, 6], gamma=0.1)
    by_epoch = torch_s(theirs, 9)
    assert ours(recipe) == pytest.approx([rate for rate in by_epoch for _ in range(STEPS)], rel=1e-12)
    assert by_epoch[0] == 0.1
    assert by_epoch[-1] == pytest.approx(0.001)


@pytest.mark.parametrize("warmup", [0, 2])
def test_steps_with_a_warm_up_are_timm_s(warmup: int) -> None:
    """Milestones count from the run's first epoch, not from the end of the warm-up. One step an epoch, as timm's.

    timm's own milestone 4 is the fourth epoch, the first with the lower rate; ours is 3, torch's: the epochs before it.
    """
    recipe = Recipe(9, 256, lr=0.4, milestones=(3, 6), gamma=0.3, warmup_epochs=warmup, warmup_lr=0.01)
    warms_up: dict[str, Any] = {"warmup_t": warmup, "warmup_lr_init": 0.01, "warmup_prefix": False}
    theirs = MultiStepLRScheduler(optimiser(0.4), [4, 7], decay_rate=0.3, **warms_up)
    assert ours(recipe, 1) == pytest.approx(timm_s(theirs, 9), rel=1e-12)


def test_a_staircase_is_timm_s_step() -> None:
    """Its RMSprop recipes': x 0.97 every 2.4 epochs, after 3 epochs of warm-up."""
    options: dict[str, Any] = {"decay_t": 2.4, "decay_rate": 0.97, "warmup_t": 3}
    options |= {"warmup_lr_init": 1e-6, "warmup_prefix": False}
    recipe = Recipe(
        30, 256, lr=0.048, schedule="staircase", gamma=0.97, decay_epochs=2.4, warmup_epochs=3, warmup_lr=1e-6
    )
    assert ours(recipe, 1) == pytest.approx(timm_s(StepLRScheduler(optimiser(0.048), **options), 30), rel=1e-12)
    by_steps = ours(recipe)  # within an epoch the rate rises during warm-up, and stays afterwards
    assert by_steps[::STEPS] == pytest.approx(ours(recipe, 1), rel=1e-12)
    assert len(set(by_steps[: 3 * STEPS])) == 3 * STEPS
    assert len(set(by_steps[3 * STEPS :])) == len(set(ours(recipe, 1)[3:]))


def test_the_report_s_cosine() -> None:
    recipe = Recipe(epochs=10, batch_size=256)
    theirs = torch_s(lr_scheduler.CosineAnnealingLR(optimiser(0.1), T_max=10 * STEPS), 10 * STEPS)
    assert ours(recipe) == pytest.approx(theirs, rel=1e-9)
    assert theirs[0] == 0.1
    assert 0 < theirs[-1] < 1e-4


def test_a_cosine_with_a_warm_up_is_torchvision_s() -> None:
    """Its references': a linear warm-up, then a cosine over the epochs that are left."""
    recipe = Recipe(10, 8, lr=0.5, schedule="cosine", warmup_epochs=3, warmup_lr=0.005, min_lr=0.001)
    rises = lr_scheduler.LinearLR(parts := optimiser(0.5), start_factor=0.01, total_iters=3 * STEPS)
    falls = lr_scheduler.CosineAnnealingLR(parts, T_max=7 * STEPS, eta_min=0.001)
    theirs = lr_scheduler.SequentialLR(parts, [rises, falls], milestones=[3 * STEPS])
    assert ours(recipe) == pytest.approx(torch_s(theirs, 10 * STEPS), rel=1e-9)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_polynomial_is_torch_s(power: float) -> None:
    recipe = Recipe(6, 8, lr=0.5, schedule="polynomial", power=power)
    theirs = lr_scheduler.PolynomialLR(optimiser(0.5), total_iters=6 * STEPS, power=power)
    assert ours(recipe) == pytest.approx(torch_s(theirs, 6 * STEPS), rel=1e-9)
    above = ours(Recipe(6, 8, lr=0.5, schedule="polynomial", power=power, min_lr=0.1))
    assert above[0] == 0.5
    assert 0.1 < above[-1] < 0.12


def test_one_cycle_is_torch_s() -> None:
    recipe = Recipe(10, 8, lr=0.5, schedule="one_cycle", warmup_epochs=3, warmup_lr=0.02, min_lr=2e-6)
    theirs = lr_scheduler.OneCycleLR(
        optimiser(0.5), 0.5, total_steps=10 * STEPS, pct_start=0.3, div_factor=25, final_div_factor=1e4,
        cycle_momentum=False,
    )  # fmt: skip
    rates = [theirs.get_last_lr()[0]]
    for _ in range(10 * STEPS - 1):
        theirs.optimizer.step()
        theirs.step()
        rates.append(theirs.get_last_lr()[0])
    assert ours(recipe) == pytest.approx(rates, rel=1e-6)
    assert max(rates) == pytest.approx(0.5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_fraction_of_an_epoch_of_warm_up(name: str) -> None:
    recipe = Recipe(4, 8, lr=0.5, schedule=name, warmup_epochs=0.5, warmup_lr=0.1, decay_epochs=2.0)
    rates = ours(recipe, 10)
    assert rates[0] == pytest.approx(0.1)
    assert rates == sorted(rates[:5]) + rates[5:]
    assert max(rates) == pytest.approx(0.5)
    assert all(map(math.isfinite, rates))


def test_the_rate_follows_the_batch_only_when_asked() -> None:
    assert ours(Recipe(1, 512, lr=0.1))[0] == 0.1
    assert ours(Recipe(1, 512, lr=0.1, scale_lr=256))[0] == pytest.approx(0.2)


def test_a_schedule_by_its_name() -> None:
    steps, cosine = Recipe(90, 256, milestones=(30,)), Recipe(90, 256)
    assert get_schedule(None, steps) is SCHEDULES["steps"]
    assert get_schedule(None, cosine) is SCHEDULES["cosine"]
    assert get_schedule("cosine", steps) is SCHEDULES["cosine"]


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no schedule 'cosin'; did you mean 'cosine'"):
        learning_rate(Recipe(epochs=90, batch_size=256, schedule="cosin"), 0, 1)


def test_another_one_is_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
        return recipe.lr

    monkeypatch.setitem(SCHEDULES, "constant", constant)
    assert set(ours(Recipe(epochs=2, batch_size=1, schedule="constant"))) == {0.1}
