"""A recipe that says no more than its length is the paper's."""

from __future__ import annotations

import pytest

from densezoo import schema
from densezoo.errors import ConfigError
from densezoo.types import Recipe


def test_what_a_recipe_leaves_open_is_the_paper_s() -> None:
    """https://arxiv.org/abs/1608.06993, section 4.2: SGD, Nesterov's momentum 0.9, weight decay 1e-4, rate 0.1."""
    recipe = schema.build(Recipe, {"epochs": 300, "batch_size": 64}, "c.py: train", ConfigError)
    assert (recipe.optimiser, recipe.lr, recipe.gamma) == ("sgd", 0.1, 0.1)
    assert (recipe.momentum, recipe.nesterov, recipe.weight_decay) == (0.9, True, 1e-4)
    assert (recipe.augmentation, recipe.milestones, recipe.schedule) == ("none", (), None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 1}, "the key 'batch_size' is missing"),
        ({"epochs": 1, "batch_size": 1, "optimizer": "sgd"}, r"unknown key 'optimizer'; did you mean 'optimiser'\?"),
        ({"epochs": 1.5, "batch_size": 1}, "epochs is 1.5; expected a whole number"),
        ({"epochs": 1, "batch_size": 1, "milestones": 30}, "milestones is 30; expected a list"),
    ],
)
def test_a_recipe_of_a_config_is_held_to_its_fields(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"c.py: train: {message}"):
        schema.build(Recipe, values, "c.py: train", ConfigError)
