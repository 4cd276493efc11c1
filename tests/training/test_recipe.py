"""A name that is in no table, and a value that can't be meant, are refused before torch is imported."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from densezoo.config import load_config
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import family_of
from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import training_transforms
from densezoo.training.losses import get_loss
from densezoo.training.optimisers import get_optimiser
from densezoo.training.parameters import parameter_groups
from densezoo.training.recipe import EXPECTED, check_recipe
from densezoo.training.schedules import learning_rate
from densezoo.types import Distillation, Experiment, Recipe, Start

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
    "seed": [-1, 2**63],
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
    "sync_bn": [{"sync_bn": True, "memory": "checkpoint"}],
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


@cache
def shipped() -> dict[Path, Experiment]:
    """{config that trains: what it says}."""
    experiments = {path: load_config(path) for path in sorted((ROOT / "configs").glob("**/[!_]*.py"))}
    return {path: each for path, each in experiments.items() if each.train and path.parent.name != "_base_"}


def one_a_recipe() -> list[Path]:
    """One config of each recipe and protocol, the one with the shortest name."""
    first: dict[tuple[str, str], Path] = {}
    for path, experiment in sorted(shipped().items(), key=lambda item: len(item[0].name)):
        first.setdefault((repr(experiment.train), experiment.protocol), path)  # a start has a dict in it
    return list(first.values())


def test_the_shipped_recipes() -> None:
    for experiment in shipped().values():
        assert experiment.train is not None
        check_recipe(experiment.train)
    assert len(one_a_recipe()) > 10


@pytest.mark.parametrize("path", one_a_recipe(), ids=lambda path: path.stem)
def test_a_shipped_recipe_dry_runs(path: Path) -> None:
    """Its network, without numbers, optimiser, augmentation and loss are made; its rates at the milestones taken."""
    experiment = shipped()[path]
    recipe, protocol = experiment.train, get_protocol(experiment.protocol)
    assert recipe is not None
    with torch.device("meta"):
        network = family_of(experiment.model).network(experiment.model, draw_weights=False)
    optimiser = get_optimiser(recipe.optimiser)(parameter_groups(network, recipe, experiment.model), recipe)
    decays = {group["weight_decay"] for group in optimiser.param_groups}
    assert decays == ({recipe.weight_decay} if recipe.decay_norms else {recipe.weight_decay, 0.0})
    changes = training_transforms(recipe, protocol)
    side = recipe.image_size or protocol.crop or 32
    if changes.on_image is not None:
        mode = "L" if protocol.channel_order == "L" else "RGB"
        assert changes.on_image(Image.new(mode, (side + 9, side + 5))).size == (side, side)
    if changes.on_floats is not None:
        shape = (len(protocol.channel_order), side, side)
        assert changes.on_floats(torch.zeros(shape)).shape == shape
    assert get_loss(recipe.loss)(recipe, None)(torch.zeros(2, 10), torch.tensor([1, 2])).item() > 0
    rates = [learning_rate(recipe, epoch * 100, 100) for epoch in range(recipe.epochs)]
    highest = max(rates)
    assert 0.95 * recipe.lr < highest <= recipe.lr  # a staircase has fallen once when its warm-up ends
    assert learning_rate(recipe, recipe.epochs * 100 - 1, 100) < highest / 50
    for milestone in recipe.milestones[: sum(milestone < recipe.epochs for milestone in recipe.milestones)]:
        assert rates[milestone] == pytest.approx(rates[milestone - 1] * recipe.gamma)


def test_there_is_each_of_the_published_recipes() -> None:
    """../shared/FACTS.md section 6: (config, epochs, images a step, rate, milestones, augmentation, weight decay)."""
    published = [
        ("densenet121.py", 90, 256, 0.1, (30, 60), "resized_crop_colour_flip", 1e-4),
        ("recipes/densenet264_cosine.py", 100, 256, 0.1, (), "resized_crop_colour_flip", 1e-4),
        ("recipes/densenet121_torchvision.py", 90, 256, 0.1, (30, 60), "resized_crop_flip", 1e-4),
        ("mindvision/densenet121_mindvision.py", 300, 64, 0.1, (150, 225), "resized_crop_flip", 0.0),
        ("cifar/densenet_bc_100_12_cifar10.py", 300, 64, 0.1, (150, 225), "none", 1e-4),
        ("cifar/densenet_bc_100_12_cifar100plus.py", 300, 64, 0.1, (150, 225), "pad_crop_flip", 1e-4),
        ("svhn/densenet_bc_100_12_svhn.py", 40, 64, 0.1, (20, 30), "none", 1e-4),
    ]
    for name, *expected in published:
        r = load_config(ROOT / "configs" / name).train
        assert r is not None
        assert [r.epochs, r.batch_size, r.lr, r.milestones, r.augmentation, r.weight_decay] == expected, name
        assert r.nesterov == (name != "recipes/densenet121_torchvision.py" and "mindvision" not in name)
        assert r.decay_norms


def test_another_recipe_is_no_entry_of_the_index() -> None:
    configs = {spec.config for spec in load_index().values()}
    assert not any(config.startswith("configs/recipes/") for config in configs)
    assert "configs/densenet121.py" in configs


def test_the_tables_import_no_torch() -> None:
    program = "import sys, densezoo.training.recipe; print({'torch', 'PIL', 'timm', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
