"""Schedules of the learning rate, by name. A new one is one function and one line of the table here."""

from __future__ import annotations

from collections.abc import Callable

from densezoo.errors import UnknownNameError
from densezoo.types import Recipe

Schedule = Callable[[Recipe, int], list[dict[str, object]]]


def steps(recipe: Recipe, iterations: int) -> list[dict[str, object]]:
    """The rate times gamma after each of the milestones, as mmengine's configuration of schedulers.

    Args:
        recipe: gives milestones (epochs) and gamma.
        iterations: optimiser steps an epoch; not used.
    """
    return [{"type": "MultiStepLR", "milestones": list(recipe.milestones), "gamma": recipe.gamma}]


def cosine(recipe: Recipe, iterations: int) -> list[dict[str, object]]:
    """A cosine to zero over the whole run, updated after each iteration, as in the technical report.

    Args:
        recipe: gives epochs.
        iterations: optimiser steps an epoch.
    """
    total = recipe.epochs * iterations
    return [{"type": "CosineAnnealingLR", "T_max": total, "eta_min": 0.0, "by_epoch": False, "end": total}]


#: {name, as in a config's ``train.schedule``: recipe, iterations an epoch -> mmengine's configuration of schedulers}
SCHEDULES: dict[str, Schedule] = {"steps": steps, "cosine": cosine}


def get_schedule(name: str | None, recipe: Recipe) -> Schedule:
    """The schedule of that name: recipe, iterations an epoch -> mmengine's configuration of schedulers.

    Args:
        name: as in `densezoo.types.Recipe`; None: steps if the recipe has milestones, else a cosine.
        recipe: gives milestones.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    name = name or ("steps" if recipe.milestones else "cosine")
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    return SCHEDULES[name]
