"""What a training would take: `densezoo train CONFIG --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from densezoo import protocols
from densezoo.api.images import open_images
from densezoo.api.models import create_model
from densezoo.api.names import check_names
from densezoo.backends.device import choose_device
from densezoo.data.datasets import get_dataset
from densezoo.data.images import ArrayImages, ImageSet
from densezoo.errors import ConfigError
from densezoo.evaluation import distributed
from densezoo.training.augmentations import training_transforms
from densezoo.training.data import TrainingImages
from densezoo.training.distillation import load_teacher
from densezoo.training.plan import Images, TrainingPlan, make_plan
from densezoo.training.recipe import check_recipe
from densezoo.training.run import Run
from densezoo.training.sampling import Batches
from densezoo.types import Experiment

#: {dataset: its published numbers of images to train on and to measure on}, for plans without the dataset.
PUBLISHED: Mapping[str, tuple[int, int]] = {
    "imagenet1k": (1_281_167, 50_000),
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "svhn": (73_257, 26_032),
}
NOISE = 8  # images in place of a dataset that isn't here
PHOTOGRAPH = 400  # their side in pixels where the protocol resizes


def plan_training(
    config: str | Path,
    *,
    data_root: str | Path | None = None,
    workers: int = 2,
    device: str | None = None,
    launcher: str | None = None,
    overrides: Mapping[str, object] | None = None,
    seconds: float = 10.0,
) -> TrainingPlan:
    """Say what a training would take, counted and measured in a few steps; nothing is written.

    Without ``data_root`` a dataset's published numbers of images are taken, and noise in place of its images.

    Args:
        config: the config file.
        seconds: that the measured steps may take; 0: nothing is measured.
        data_root, workers, device, launcher, overrides: as for `train_config`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    experiment = check_names(config, overrides=overrides, device=device)
    if experiment is None or experiment.train is None:
        raise ConfigError(f"{config}: has no 'train' entry; it is for evaluation only")
    recipe = experiment.train
    check_recipe(recipe)
    chosen_device = choose_device(device)
    distributed.start(launcher, chosen_device)
    found = data_root is not None or get_dataset(experiment.dataset).built_in is not None
    images, numbers = _found(experiment, data_root) if found else _published(experiment)
    protocol = protocols.get_protocol(experiment.protocol)
    if found:  # which refuses batches that can't be made
        Batches(images, recipe, processes=distributed.world_size())
    run = Run(
        network=create_model(experiment.model),
        architecture=experiment.model,
        images=TrainingImages(images, protocol, training_transforms(recipe, protocol)),
        recipe=recipe,
        device=chosen_device,
        workers=workers,
        evaluate=lambda network: {},
        folder=Path(),
        facts={},
        write_weights=lambda path, network, measures: None,
        teacher=load_teacher(experiment, recipe.distillation, chosen_device) if recipe.distillation else None,
    )
    return make_plan(run, numbers, seconds)


def _found(experiment: Experiment, data_root: str | Path | None) -> tuple[ImageSet, Images]:
    """The training images, and how many there are."""
    images, held_out = (open_images(experiment, data_root, split) for split in ("train", "test"))
    return images, Images(len(images), len(held_out), found=True)


def _published(experiment: Experiment) -> tuple[ImageSet, Images]:
    """Noise of the size that the protocol takes, and the published numbers of images, if they are known."""
    protocol = protocols.get_protocol(experiment.protocol)
    side = protocol.image_size or PHOTOGRAPH
    shape = (NOISE, side, side) if protocol.channel_order == "L" else (NOISE, side, side, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    noise = ArrayImages("noise", [str(index) for index in range(NOISE)], [0] * NOISE, pixels)
    training, test = PUBLISHED.get(experiment.dataset, (None, None))
    return noise, Images(training, test, found=False)
