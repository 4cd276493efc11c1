from __future__ import annotations

import pytest

from densezoo.errors import UnknownNameError
from densezoo.training.schedules import SCHEDULES, get_schedule
from densezoo.types import Recipe


def mmengine_s(recipe: Recipe) -> list[dict[str, object]]:
    """What mmengine is configured with for the recipe, of 10 iterations an epoch."""
    return get_schedule(recipe.schedule, recipe)(recipe, 10)


def test_the_authors_schedules() -> None:
    steps = mmengine_s(Recipe(epochs=90, batch_size=256, milestones=(30, 60)))
    assert steps == [{"type": "MultiStepLR", "milestones": [30, 60], "gamma": 0.1}]
    (cosine,) = mmengine_s(Recipe(epochs=100, batch_size=256))
    assert (cosine["type"], cosine["T_max"], cosine["by_epoch"]) == ("CosineAnnealingLR", 1000, False)


def test_a_schedule_by_its_name() -> None:
    (named,) = mmengine_s(Recipe(epochs=90, batch_size=256, milestones=(30,), schedule="cosine"))
    assert named["type"] == "CosineAnnealingLR"


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no schedule 'cosin'; did you mean 'cosine'"):
        mmengine_s(Recipe(epochs=90, batch_size=256, schedule="cosin"))


def test_another_one_is_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(recipe: Recipe, iterations: int) -> list[dict[str, object]]:
        return [{"type": "ConstantLR", "factor": 1.0}]

    monkeypatch.setitem(SCHEDULES, "constant", constant)
    assert mmengine_s(Recipe(epochs=1, batch_size=1, schedule="constant")) == [{"type": "ConstantLR", "factor": 1.0}]
