"""Optimisers, by name. A new one is one function and one line of the table here."""

from __future__ import annotations

from collections.abc import Callable

from densezoo.errors import UnknownNameError
from densezoo.types import Recipe


def sgd(recipe: Recipe) -> dict[str, object]:
    """SGD with momentum, as mmengine's configuration of an optimiser.

    Args:
        recipe: gives the first learning rate, momentum, nesterov and weight_decay.
    """
    return {
        "type": "SGD",
        "lr": recipe.lr,
        "momentum": recipe.momentum,
        "nesterov": recipe.nesterov,
        "weight_decay": recipe.weight_decay,
    }


#: {name, as in a config's ``train.optimiser``: recipe -> mmengine's configuration of an optimiser}
OPTIMISERS: dict[str, Callable[[Recipe], dict[str, object]]] = {"sgd": sgd}


def get_optimiser(name: str) -> Callable[[Recipe], dict[str, object]]:
    """The optimiser of that name: recipe -> mmengine's configuration of an optimiser.

    Args:
        name: as in `densezoo.types.Recipe`.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in OPTIMISERS:
        raise UnknownNameError("optimiser", name, OPTIMISERS)
    return OPTIMISERS[name]
