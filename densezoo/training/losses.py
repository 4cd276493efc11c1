"""Losses, by name. A new one is one function and one line of the table here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from densezoo.errors import UnknownNameError
from densezoo.types import Recipe

if TYPE_CHECKING:  # a name is checked before torch is imported
    from torch import Tensor

#: (logits (N, classes), targets of `densezoo.training.mixing.mix`) -> the batch's mean loss, a scalar in float32.
Loss = Callable[["Tensor", "Tensor"], "Tensor"]
MakesLoss = Callable[[Recipe, "Tensor | None"], Loss]


def cross_entropy(recipe: Recipe, class_weights: Tensor | None) -> Loss:
    """Cross-entropy, the mean over images; with weights the mean weighted by those of the images' targets.

    Args:
        recipe: not used: label smoothing is in the targets.
        class_weights: float32 (classes,); None: all 1.
    """
    from torch.nn import functional

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        logits = logits.float()
        if class_weights is None or targets.ndim == 1:
            return functional.cross_entropy(logits, targets, class_weights)
        # torch divides by the number of images here, and by the sum of weights where targets are whole labels
        total = functional.cross_entropy(logits, targets, class_weights, reduction="sum")
        return total / (targets @ class_weights).sum()

    return loss


def bce(recipe: Recipe, class_weights: Tensor | None) -> Loss:
    """Binary cross-entropy, one decision a class: the mean over images and classes (timm's ``--bce-loss``).

    Args:
        recipe: not used: label smoothing is in the targets.
        class_weights: float32 (classes,), by which the loss of a class that holds is multiplied (torch's
            ``pos_weight``); None: all 1.
    """
    from torch.nn import functional

    from densezoo.training.mixing import as_shares

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        shares = as_shares(targets, logits.shape[1])
        return functional.binary_cross_entropy_with_logits(logits.float(), shares, pos_weight=class_weights)

    return loss


#: {name, as in a config's ``train.loss``: (recipe, weights of the classes or None) -> (logits, targets) -> mean loss}
LOSSES: dict[str, MakesLoss] = {"cross_entropy": cross_entropy, "bce": bce}


def get_loss(name: str) -> MakesLoss:
    """The loss of that name: (recipe, class weights or None) -> (logits, targets) -> the batch's mean loss.

    Args:
        name: such as "cross_entropy", a key of LOSSES.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in LOSSES:
        raise UnknownNameError("loss", name, LOSSES)
    return LOSSES[name]
