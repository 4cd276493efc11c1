"""Trainings that take a second: a tiny network on the first few of scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from densezoo import api
from densezoo.api.images import open_images
from densezoo.data.images import ChosenImages, ImageSet

CONFIG = api.DEMO[0]
NAME = f"{CONFIG.stem}.safetensors"
STEPS = 4  # an epoch, of 24 images
SMALL: Mapping[str, object] = {
    "train.epochs": 3,
    "train.batch_size": 24,
    "model.growth_rate": 4,
    "model.block_config": (1, 1),
    "model.drop_rate": 0.1,
}


def few(images: ImageSet, number: int = STEPS * 24 + 4) -> ImageSet:
    """The first images of a set."""
    return ChosenImages(
        images.location, images.ids[:number], images.labels[:number], images=images, positions=range(number)
    )


def of_few_images(patch: pytest.MonkeyPatch) -> None:
    """Have all trainings of this process take the first images of their sets alone."""
    patch.setattr("densezoo.api.material.open_images", lambda *arguments: few(open_images(*arguments)))


def train(folder: Path, overrides: Mapping[str, object] = SMALL, **options: object) -> Path:
    """Train into a folder, by ``train_config``; return the weights."""
    return api.train_config(CONFIG, work_dir=folder, device="cpu", overrides=overrides, **{"workers": 0, **options})  # type: ignore[arg-type]
