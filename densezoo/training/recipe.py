"""Refuses a recipe with an unknown name, before torch is imported."""

from __future__ import annotations

from densezoo.training.augmentations import get_training_augmentation
from densezoo.training.optimisers import get_optimiser
from densezoo.training.schedules import get_schedule
from densezoo.types import Recipe


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe with an unknown name.

    Args:
        recipe: how a config trains.

    Raises:
        UnknownNameError: no such augmentation, optimiser or schedule; names the nearest.
    """
    get_training_augmentation(recipe.augmentation)
    get_optimiser(recipe.optimiser)
    get_schedule(recipe.schedule, recipe)
