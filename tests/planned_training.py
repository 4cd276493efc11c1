"""A training that can be planned without a dataset: a tiny network on noise of the size of digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from densezoo.data.images import ArrayImages
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import training_transforms
from densezoo.training.data import TrainingImages
from densezoo.training.run import Run
from densezoo.types import Recipe

ARCH = DenseNetArchitecture(stem="cifar", growth_rate=4, num_init_features=8, block_config=(1, 1), in_chans=1)
RECIPE = Recipe(epochs=10, batch_size=24, augmentation="shift")


def a_run(recipe: Recipe = RECIPE, workers: int = 0) -> Run:
    """A run of the recipe."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    protocol = get_protocol("digits")
    images = ArrayImages("noise", [*"abcdef"], [0, 1, 2, 3, 4, 5], pixels=pixels)
    transforms = training_transforms(recipe, protocol)
    return Run(
        network=build_model(ARCH),
        architecture=ARCH,
        images=TrainingImages(images, protocol, transforms),
        recipe=recipe,
        device="cpu",
        workers=workers,
        evaluate=lambda network: {},
        folder=Path(),
        facts={},
        write_weights=lambda path, network, measures: None,
    )
