"""Refuses a recipe with an unknown name, or with a value that can't be meant, before torch is imported."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import inf

from densezoo.errors import ConfigError
from densezoo.training.augmentations import get_training_augmentation
from densezoo.training.losses import get_loss
from densezoo.training.optimisers import get_optimiser
from densezoo.training.policies import check_policy
from densezoo.training.schedules import full_rate, get_schedule
from densezoo.types import Distillation, Recipe

#: (field of `Recipe`, what is expected of it, whether a recipe has that). A comparison with NaN is false.
EXPECTED: tuple[tuple[str, str, Callable[[Recipe], bool]], ...] = (
    ("epochs", "at least 1", lambda r: r.epochs >= 1),
    ("batch_size", "at least 1 image", lambda r: r.batch_size >= 1),
    ("seed", "a whole number from 0 to below 2^63", lambda r: 0 <= r.seed < 2**63),
    ("lr", "a number above 0", lambda r: 0 < r.lr < inf),
    ("scale_lr", "a batch size", lambda r: r.scale_lr is None or r.scale_lr >= 1),
    ("milestones", "epochs from 1 on, in order", lambda r: all(a < b for a, b in pairwise((0, *r.milestones)))),
    ("gamma", "a factor above 0, at most 1", lambda r: 0 < r.gamma <= 1),
    ("decay_epochs", "epochs above 0, which a staircase needs", lambda r: _has_decay_epochs(r)),
    ("power", "a number above 0", lambda r: 0 < r.power < inf),
    ("momentum", "a share from 0 to below 1", lambda r: 0 <= r.momentum < 1),
    ("nesterov", "False where momentum is 0", lambda r: not r.nesterov or r.momentum > 0 or r.optimiser != "sgd"),
    ("weight_decay", "0 or more", lambda r: 0 <= r.weight_decay < inf),
    ("betas", "two shares from 0 to below 1", lambda r: r.betas is None or all(0 <= beta < 1 for beta in r.betas)),
    ("eps", "a number above 0", lambda r: r.eps is None or 0 < r.eps < inf),
    ("layer_decay", "a factor above 0, at most 1", lambda r: 0 < r.layer_decay <= 1),
    ("warmup_epochs", "0 or more, and fewer than epochs", lambda r: 0 <= r.warmup_epochs < r.epochs),
    ("warmup_epochs", "more than 0 for one_cycle", lambda r: r.warmup_epochs > 0 or r.schedule != "one_cycle"),
    ("warmup_lr", "a rate from 0 to below lr", lambda r: 0 <= r.warmup_lr < full_rate(r)),
    ("min_lr", "a rate from 0 to below lr", lambda r: 0 <= r.min_lr < full_rate(r)),
    ("crop_scale", "two shares above 0, in order", lambda r: 0 < r.crop_scale[0] <= r.crop_scale[1] <= 1),
    ("erasing", "a share from 0 to 1", lambda r: 0 <= r.erasing <= 1),
    ("repeats", "at least 1", lambda r: r.repeats >= 1),
    ("image_size", "at least 1 pixel", lambda r: r.image_size is None or r.image_size >= 1),
    ("mixup", "0 or more", lambda r: 0 <= r.mixup < inf),
    ("cutmix", "0 or more", lambda r: 0 <= r.cutmix < inf),
    ("mix_probability", "a share from 0 to 1", lambda r: 0 <= r.mix_probability <= 1),
    ("label_smoothing", "a share from 0 to below 1", lambda r: 0 <= r.label_smoothing < 1),
    ("class_weights", "None beside balanced_sampling", lambda r: r.class_weights is None or not r.balanced_sampling),
    (
        "accumulate",
        "at least 1, a divisor of batch_size",
        lambda r: r.accumulate >= 1 and r.batch_size % r.accumulate == 0,
    ),
    ("sync_bn", "False where memory is not 'none'", lambda r: not r.sync_bn or r.memory == "none"),
    ("clip_grad", "a norm above 0", lambda r: r.clip_grad is None or r.clip_grad > 0),
    ("ema", "a share from 0 to below 1", lambda r: r.ema is None or 0 <= r.ema < 1),
    ("evaluate_every", "at least 1", lambda r: r.evaluate_every >= 1),
    ("patience", "at least 1", lambda r: r.patience is None or r.patience >= 1),
    ("save_every", "at least 1", lambda r: r.save_every is None or r.save_every >= 1),
    ("keep", "at least 1", lambda r: r.keep >= 1),
)


def check_recipe(recipe: Recipe, *, multi_label: bool = False) -> None:
    """Refuse a recipe with an unknown name, or with a value that can't be meant.

    Args:
        recipe: how a config trains.
        multi_label: whether several labels can hold for an image of its dataset.

    Raises:
        UnknownNameError: no such augmentation, policy, optimiser, schedule or loss; names the nearest.
        ConfigError: a value that no training can have; names the field and what is expected.
    """
    get_training_augmentation(recipe.augmentation)
    get_optimiser(recipe.optimiser)
    get_schedule(recipe.schedule, recipe)
    get_loss(recipe.loss)
    if recipe.policy is not None:
        check_policy(recipe.policy)
    for field, expected, holds in EXPECTED:
        if not holds(recipe):
            raise ConfigError(f"train.{field} is {getattr(recipe, field)!r}; expected {expected}")
    _check_parts(recipe)
    if multi_label:
        _check_multi_label(recipe)


def _has_decay_epochs(recipe: Recipe) -> bool:
    if recipe.decay_epochs is None:
        return recipe.schedule != "staircase"
    return 0 < recipe.decay_epochs < inf


def _check_parts(recipe: Recipe) -> None:
    """Refuse values of the recipe's distillation and start that can't be meant.

    Raises:
        ConfigError: there is one.
    """
    teacher = recipe.distillation or Distillation("")
    if not 0 < teacher.weight <= 1:
        raise ConfigError(f"train.distillation.weight is {teacher.weight}; expected a share above 0, at most 1")
    if not 0 < teacher.temperature < inf:
        raise ConfigError(f"train.distillation.temperature is {teacher.temperature}; expected a number above 0")
    for stage, scale in (recipe.start.lr_scales if recipe.start else {}).items():
        if not 0 < scale < inf:
            raise ConfigError(
                f"train.start.lr_scales: {stage!r} is {scale}; expected a factor above 0; train.start.freeze keeps a "
                "stage as it is"
            )


def _check_multi_label(recipe: Recipe) -> None:
    """Refuse what takes for granted that exactly one label holds for an image.

    Raises:
        ConfigError: there is something.
    """
    if recipe.loss != "bce":
        raise ConfigError(f"several labels can hold for an image, and train.loss is {recipe.loss!r}; set it to 'bce'")
    for field in ("mixup", "cutmix", "distillation", "balanced_sampling"):
        if getattr(recipe, field):
            raise ConfigError(
                f"train.{field} takes images of one label, and several can hold for an image here; leave it out"
            )
