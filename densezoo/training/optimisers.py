"""Optimisers, by name. A new one is one function and one line of the table here.

SGD and AdamW are torch's. RMSprop, LAMB and Muon are timm's: torch has no LAMB, its RMSprop adds epsilon outside of the
square root, where recipes that name RMSprop mean TensorFlow's, and its Muon takes matrices alone, while nearly all
weights of a DenseNet are kernels of convolutions, which timm's flattens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from densezoo.errors import UnknownNameError
from densezoo.types import Recipe

if TYPE_CHECKING:  # a name is checked before torch is imported
    from torch.optim import Optimizer

#: torch's parameter groups: each has "params" (its parameters), and may have "weight_decay" and "lr_scale".
Groups = list[dict[str, Any]]  # as torch's optimisers take parameters
MakesOptimiser = Callable[[Groups, Recipe], "Optimizer"]


def sgd(groups: Groups, recipe: Recipe) -> Optimizer:
    """SGD with momentum, torch's: weight decay is added to the gradient.

    Args:
        groups: the parameters to train.
        recipe: gives lr, momentum, nesterov, and the weight_decay of groups that have none of their own.
    """
    from torch.optim import SGD

    return SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay
    )


def adamw(groups: Groups, recipe: Recipe) -> Optimizer:
    """AdamW, torch's: weight decay times the learning rate is taken off the weights.

    Args:
        groups: the parameters to train.
        recipe: gives lr, betas (0.9, 0.999), eps (1e-8), and the weight_decay of groups that have none of their own.
    """
    from torch.optim import AdamW

    return AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay, **_given(recipe, "betas", "eps"))


def rmsprop(groups: Groups, recipe: Recipe) -> Optimizer:
    """RMSprop as TensorFlow computes it, timm's: epsilon inside the square root, the rate inside the momentum.

    Args:
        groups: the parameters to train.
        recipe: gives lr, momentum, eps (1e-10), and the weight_decay of groups that have none of their own. The mean of
            squares has a decay of 0.9.
    """
    from timm.optim.rmsprop_tf import RMSpropTF

    return RMSpropTF(
        groups, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, **_given(recipe, "eps")
    )


def lamb(groups: Groups, recipe: Recipe) -> Optimizer:
    """LAMB, timm's: Adam's step of each tensor scaled to the tensor's norm. Its own clipping is off: see clip_grad.

    Args:
        groups: the parameters to train.
        recipe: gives lr, betas (0.9, 0.999), eps (1e-6), and the weight_decay of groups that have none of their own.
    """
    from timm.optim.lamb import Lamb

    given = _given(recipe, "betas", "eps")
    return Lamb(groups, lr=recipe.lr, weight_decay=recipe.weight_decay, max_grad_norm=None, **given)


def muon(groups: Groups, recipe: Recipe) -> Optimizer:
    """Muon, timm's: momentum, orthogonalised, of kernels and matrices; AdamW (with nesterov NAdamW) of all others.

    Steps are scaled to the size of AdamW's, so that both take AdamW's learning rates.

    Args:
        groups: the parameters to train.
        recipe: gives lr, momentum, nesterov, betas (0.9, 0.95; of AdamW), eps (1e-7), and the weight_decay of groups
            that have none of their own.
    """
    from timm.optim.muon import Muon

    return Muon(
        groups,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        **_given(recipe, "betas", "eps"),
    )


def _given(recipe: Recipe, *names: str) -> dict[str, Any]:
    """Those of the recipe's fields that it says; the optimiser has its own values for the others."""
    return {name: value for name in names if (value := getattr(recipe, name)) is not None}


#: {name, as in a config's ``train.optimiser``: (parameter groups, recipe) -> torch's optimiser of them}
OPTIMISERS: dict[str, MakesOptimiser] = {"sgd": sgd, "adamw": adamw, "rmsprop": rmsprop, "lamb": lamb, "muon": muon}


def get_optimiser(name: str) -> MakesOptimiser:
    """The optimiser of that name: (parameter groups, recipe) -> torch's optimiser of them.

    Args:
        name: such as "sgd", a key of OPTIMISERS.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in OPTIMISERS:
        raise UnknownNameError("optimiser", name, OPTIMISERS)
    return OPTIMISERS[name]
