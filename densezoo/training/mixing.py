"""Mixes the images of a batch (mixup, cutmix), and makes the targets of it that its loss compares with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchvision.transforms import v2

from densezoo.types import Recipe


def mix(
    images: Tensor, labels: Tensor, num_classes: int, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The batch, mixed as the recipe says, and its targets.

    Where a recipe has both mixup and cutmix, half of the mixed batches get one and half the other. Each image is mixed
    with the one before it in the batch, by one share for the whole batch (torchvision's MixUp and CutMix).

    Args:
        images: float (N, C, H, W).
        labels: int64 (N,); or of multi-label images float (N, classes), 1 where a label holds, which are never mixed.
        num_classes: of the network.
        recipe: gives mixup, cutmix, mix_probability and label_smoothing.
        generator: on the CPU; all that is drawn follows from it, and torch's global state stays as it is.

    Returns:
        Images of the same shape; targets int64 (N,) where nothing is mixed or smoothed, else float32 (N, classes).
    """
    if labels.ndim == 2:
        return images, smooth_each(labels.float(), recipe.label_smoothing)
    targets = labels
    if recipe.mixup or recipe.cutmix:
        # both are drawn for every batch, so that what is drawn afterwards doesn't depend on what was drawn
        mixed, other = torch.rand(2, generator=generator).tolist()
        seed = int(torch.randint(2**62, (1,), generator=generator))
        if mixed < recipe.mix_probability:
            images, targets = _mixed(images, labels, num_classes, recipe, other, seed)
    return images, smooth(targets, num_classes, recipe.label_smoothing)


def _mixed(
    images: Tensor, labels: Tensor, num_classes: int, recipe: Recipe, drawn: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix of a batch; torchvision draws from torch's global state, which is seeded and then restored."""
    cut = bool(recipe.cutmix) and (not recipe.mixup or drawn < 0.5)
    transform = v2.CutMix if cut else v2.MixUp
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of the CPU alone: torch.manual_seed would seed GPUs too
        images, targets = transform(alpha=recipe.cutmix if cut else recipe.mixup, num_classes=num_classes)(
            images, labels
        )
    return images, targets


def smooth(targets: Tensor, num_classes: int, smoothing: float) -> Tensor:
    """Targets of which a share is spread over all classes.

    Args:
        targets: int64 (N,), or float32 (N, classes).
        num_classes: of the network.
        smoothing: the share, 0 to 1; 0 leaves the targets as they are.

    Returns:
        The targets themselves, or float32 (N, classes).
    """
    if not smoothing:
        return targets
    shares = as_shares(targets, num_classes)
    return shares * (1.0 - smoothing) + smoothing / num_classes


def smooth_each(targets: Tensor, smoothing: float) -> Tensor:
    """Multi-label targets, each moved towards 1/2 by a share (timm's ``smooth_dense``).

    Args:
        targets: float32 (N, classes).
        smoothing: the share, 0 to 1.
    """
    return targets * (1.0 - smoothing) + 0.5 * smoothing if smoothing else targets


def as_shares(targets: Tensor, num_classes: int) -> Tensor:
    """Targets as the share of each class, float32 (N, classes).

    Args:
        targets: int64 (N,), or float (N, classes) already.
        num_classes: of the network.
    """
    return one_hot(targets, num_classes).float() if targets.ndim == 1 else targets.float()
