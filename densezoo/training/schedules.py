"""Schedules of the learning rate, by name. A new one is one function and one line of the table here.

A schedule is a pure function of recipe, step and steps an epoch, so a resumed run needs nothing of it but the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps

from densezoo.errors import UnknownNameError
from densezoo.types import Recipe

#: (recipe, optimiser steps that are done, optimiser steps an epoch) -> the learning rate of the next step.
Schedule = Callable[[Recipe, int, int], float]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one optimiser step; a parameter group multiplies it by its own factor.

    Args:
        recipe: gives the schedule.
        step: optimiser steps that are done; 0 for the first.
        steps_per_epoch: optimiser steps an epoch.

    Raises:
        UnknownNameError: there is no such schedule; names the nearest.
    """
    return get_schedule(recipe.schedule, recipe)(recipe, step, steps_per_epoch)


def full_rate(recipe: Recipe) -> float:
    """The rate that warm-up rises to: the recipe's lr, scaled to its batch size where it says so.

    Args:
        recipe: gives lr, batch_size and scale_lr.
    """
    return recipe.lr if recipe.scale_lr is None else recipe.lr * recipe.batch_size / recipe.scale_lr


def after_warmup(schedule: Schedule) -> Schedule:
    """The schedule with a linear rise from warmup_lr to the full rate in the first warmup_epochs in its place.

    Args:
        schedule: any; it is called with the steps of the warm-up counted.
    """

    @wraps(schedule)
    def warmed_up(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
        warmup_steps = _warmup_steps(recipe, steps_per_epoch)
        if step >= warmup_steps:
            return schedule(recipe, step, steps_per_epoch)
        return recipe.warmup_lr + (full_rate(recipe) - recipe.warmup_lr) * step / warmup_steps

    return warmed_up


@after_warmup
def steps(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate times gamma after each of the milestones, which count from the run's first epoch.

    Args:
        recipe: gives milestones (epochs) and gamma.
        step: optimiser steps that are done; 0 for the first.
        steps_per_epoch: optimiser steps an epoch.
    """
    passed = sum(milestone <= step // steps_per_epoch for milestone in recipe.milestones)
    return full_rate(recipe) * float(recipe.gamma**passed)


@after_warmup
def staircase(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate times gamma every decay_epochs, taken anew at the beginning of an epoch: timm's ``step``.

    Args:
        recipe: gives decay_epochs, which may be a fraction, and gamma.
        step: optimiser steps that are done; 0 for the first.
        steps_per_epoch: optimiser steps an epoch.
    """
    assert recipe.decay_epochs is not None, "check_recipe refuses a staircase without"
    return full_rate(recipe) * float(recipe.gamma ** (step // steps_per_epoch // recipe.decay_epochs))


@after_warmup
def cosine(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Half a cosine from the full rate, where warm-up ends, to min_lr, which the step after the last would have.

    Args:
        recipe: gives epochs, warmup_epochs and min_lr.
        step: optimiser steps that are done; 0 for the first.
        steps_per_epoch: optimiser steps an epoch.
    """
    return _cosine_between(full_rate(recipe), recipe.min_lr, _share_after_warmup(recipe, step, steps_per_epoch))


@after_warmup
def polynomial(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """(1 - share of the steps after warm-up)^power of the full rate, above min_lr; with power 1 a straight line.

    Args:
        recipe: gives epochs, warmup_epochs, min_lr and power.
        step: optimiser steps that are done; 0 for the first.
        steps_per_epoch: optimiser steps an epoch.
    """
    left = 1.0 - _share_after_warmup(recipe, step, steps_per_epoch)
    return recipe.min_lr + (full_rate(recipe) - recipe.min_lr) * float(left**recipe.power)


def one_cycle(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Half a cosine up from warmup_lr in warmup_epochs, and half a cosine down to min_lr: torch's ``OneCycleLR``.

    The last step of each has its highest and its lowest rate. Momentum stays as it is.

    Args:
        recipe: gives epochs, warmup_epochs, warmup_lr and min_lr.
        step: optimiser steps that are done; 0 for the first.
        steps_per_epoch: optimiser steps an epoch.
    """
    top = recipe.warmup_epochs * steps_per_epoch - 1  # the step with the full rate
    if step <= top:
        return _cosine_between(recipe.warmup_lr, full_rate(recipe), step / top if top else 1.0)
    return _cosine_between(full_rate(recipe), recipe.min_lr, (step - top) / (recipe.epochs * steps_per_epoch - 1 - top))


def _cosine_between(start: float, end: float, share: float) -> float:
    """Start at a share of 0, end at a share of 1, half a cosine between them."""
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0


def _warmup_steps(recipe: Recipe, steps_per_epoch: int) -> int:
    return round(recipe.warmup_epochs * steps_per_epoch)


def _share_after_warmup(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Steps that are done since warm-up, as a share of all steps after it."""
    warmup_steps = _warmup_steps(recipe, steps_per_epoch)
    return (step - warmup_steps) / (recipe.epochs * steps_per_epoch - warmup_steps)


#: {name, as in a config's ``train.schedule``: its function}
SCHEDULES: dict[str, Schedule] = {
    "steps": steps,
    "staircase": staircase,
    "cosine": cosine,
    "polynomial": polynomial,
    "one_cycle": one_cycle,
}


def get_schedule(name: str | None, recipe: Recipe) -> Schedule:
    """The schedule of that name: (recipe, steps that are done, steps an epoch) -> learning rate.

    Args:
        name: such as "one_cycle", a key of SCHEDULES; None: steps if the recipe has milestones, else a cosine.
        recipe: gives milestones.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    name = name or ("steps" if recipe.milestones else "cosine")
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    return SCHEDULES[name]
