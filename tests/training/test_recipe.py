"""A name that is in no table, and a value that can't be meant, are refused before torch is imported."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from densezoo.config import load_config
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.paths import ROOT
from densezoo.training.recipe import EXPECTED, check_recipe
from densezoo.types import Distillation, Recipe, Start

PLAIN = Recipe(epochs=10, batch_size=8)
NAN = float("nan")


@pytest.mark.parametrize("field", ["augmentation", "optimiser", "schedule", "loss", "policy"])
def test_an_unknown_name(field: str) -> None:
    with pytest.raises(UnknownNameError, match=f"there is no {field} 'nowhere'; known: "):
        check_recipe(dataclasses.replace(PLAIN, **{field: "nowhere"}))  # type: ignore[arg-type]


#: {field: values that can't be meant; a dict holds further fields}
WRONG: dict[str, list[Any]] = {
    "epochs": [0, -1],
    "batch_size": [0],
    "lr": [0.0, -0.1, NAN, float("inf")],
    "scale_lr": [0],
    "milestones": [(0, 5), (5, 5), (6, 3)],
    "gamma": [0.0, 1.5, NAN],
    "decay_epochs": [0.0, {"decay_epochs": None, "schedule": "staircase"}],
    "power": [0.0],
    "momentum": [1.0, -0.1, NAN],
    "nesterov": [{"nesterov": True, "momentum": 0.0}],
    "weight_decay": [-1e-4, NAN],
    "betas": [(0.9, 1.0), (-0.1, 0.9)],
    "eps": [0.0],
    "layer_decay": [0.0, 1.1],
    "warmup_epochs": [-1.0, 10.0, {"warmup_epochs": 0.0, "schedule": "one_cycle"}],
    "warmup_lr": [0.1, -0.1],
    "min_lr": [0.1, -0.1],
    "crop_scale": [(0.0, 1.0), (0.5, 0.4), (0.5, 1.5)],
    "erasing": [-0.1, 1.1],
    "repeats": [0],
    "image_size": [0],
    "mixup": [-0.1],
    "cutmix": [-0.1],
    "mix_probability": [1.1],
    "label_smoothing": [1.0, -0.1],
    "class_weights": [{"class_weights": "balanced", "balanced_sampling": True}],
    "accumulate": [0, 3, 16],
    "clip_grad": [0.0, NAN],
    "ema": [1.0, -0.1],
    "evaluate_every": [0],
    "patience": [0],
    "save_every": [0],
    "keep": [0],
}


@pytest.mark.parametrize("field", WRONG)
def test_a_value_that_can_t_be_meant(field: str) -> None:
    for wrong in WRONG[field]:
        fields = wrong if isinstance(wrong, dict) else {field: wrong}
        with pytest.raises(ConfigError, match=rf"^train\.{field} is .*; expected "):
            check_recipe(dataclasses.replace(PLAIN, **fields))


def test_every_expectation_is_tried() -> None:
    assert set(WRONG) == {field for field, _, _ in EXPECTED} <= {field.name for field in dataclasses.fields(Recipe)}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"distillation": Distillation("densenet121", weight=0.0)},
            r"train.distillation.weight is 0.0; expected a share",
        ),
        (
            {"distillation": Distillation("densenet121", weight=1.5)},
            r"train.distillation.weight is 1.5; expected a share",
        ),
        ({"distillation": Distillation("x", temperature=0.0)}, r"train.distillation.temperature is 0.0"),
        ({"start": Start("x", lr_scales={"stem": 0.0})}, r"train.start.lr_scales: 'stem' is 0.0; expected a factor"),
        ({"policy": "rand-m9-q1"}, "'q1' is no parameter of 'rand'"),
    ],
)
def test_a_part_that_can_t_be_meant(part: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_recipe(dataclasses.replace(PLAIN, **part))


@pytest.mark.parametrize(
    "part",
    [
        {"mixup": 0.2},
        {"cutmix": 1.0},
        {"balanced_sampling": True},
        {"distillation": Distillation("densenet121")},
    ],
)
def test_what_takes_one_label_for_granted(part: dict[str, Any]) -> None:
    recipe = dataclasses.replace(PLAIN, loss="bce", **part)
    check_recipe(recipe)
    check_recipe(dataclasses.replace(PLAIN, loss="bce"), multi_label=True)
    with pytest.raises(ConfigError, match=f"train.{next(iter(part))} takes images of one label"):
        check_recipe(recipe, multi_label=True)
    with pytest.raises(ConfigError, match="train.loss is 'cross_entropy'; set it to 'bce'"):
        check_recipe(PLAIN, multi_label=True)


def test_the_shipped_configs() -> None:
    recipes = [recipe for path in (ROOT / "configs").glob("**/[!_]*.py") if (recipe := load_config(path).train)]
    assert len(recipes) > 10
    for recipe in recipes:
        check_recipe(recipe)


def test_the_tables_import_no_torch() -> None:
    program = "import sys, densezoo.training.recipe; print({'torch', 'PIL', 'timm', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
