from __future__ import annotations

from pathlib import Path

import pytest

from densezoo import api
from densezoo.errors import UnknownNameError
from densezoo.formats.identity import file_sha256
from densezoo.training.optimisers import OPTIMISERS, get_optimiser, sgd
from densezoo.types import Recipe


def test_sgd_is_the_recipe_s() -> None:
    recipe = Recipe(epochs=1, batch_size=1, lr=0.2, momentum=0.8, nesterov=False, weight_decay=0.01)
    assert get_optimiser(recipe.optimiser)(recipe) == {
        "type": "SGD",
        "lr": 0.2,
        "momentum": 0.8,
        "nesterov": False,
        "weight_decay": 0.01,
    }


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no optimiser 'sdg'; did you mean 'sgd'"):
        get_optimiser("sdg")


def test_another_one_is_a_function_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def adam(recipe: Recipe) -> dict[str, object]:
        return {"type": "Adam", "lr": recipe.lr / 100}

    monkeypatch.setitem(OPTIMISERS, "adam", adam)
    short = {"train.epochs": 1, "model.growth_rate": 4, "model.block_config": (1, 1, 1)}
    by_adam, by_sgd = (
        api.train_config(
            api.DEMO[0],
            work_dir=tmp_path / name,
            workers=0,
            device="cpu",
            overrides={**short, "train.optimiser": name},
        )
        for name in ("adam", "sgd")
    )
    assert file_sha256(by_adam) != file_sha256(by_sgd)
    assert sgd(Recipe(epochs=1, batch_size=1))["type"] == "SGD"
