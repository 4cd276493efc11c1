"""What a training would take: `densezoo train CONFIG --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from densezoo import protocols
from densezoo.api.material import open_material
from densezoo.api.training import bare_run, check_config, training_images
from densezoo.data.datasets import get_dataset
from densezoo.data.images import ArrayImages
from densezoo.evaluation import distributed
from densezoo.training.augmentations import training_transforms
from densezoo.training.data import TrainingImages
from densezoo.training.plan import Images, TrainingPlan, make_plan
from densezoo.training.run import Run
from densezoo.training.sampling import Batches
from densezoo.types import Experiment, Recipe

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

    Without ``data_root`` a dataset's published numbers of images are taken, and noise in place of its images, where it
    isn't a built-in one.

    Args:
        config: the config file.
        data_root: folder, tar or shards of the dataset; None: the published numbers of images, where the
            dataset isn't a built-in one.
        workers: processes that decode; 0: this process does.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        launcher: of processes: "pytorch", "slurm", "mpi" or "none"; None: what the environment says.
        overrides: {field of the config: value}, such as {"train.epochs": 20}; None: none.
        seconds: that the measured steps may take; 0: nothing is measured.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    with torch.random.fork_rng(devices=[]):  # a plan leaves the caller's random numbers as they are
        return make_plan(*planned_run(config, data_root, workers, device, launcher, overrides), seconds)


def planned_run(
    config: str | Path,
    data_root: str | Path | None,
    workers: int,
    device: str | None,
    launcher: str | None,
    overrides: Mapping[str, object] | None,
    noise: int | None = None,
) -> tuple[Run, Images]:
    """The run of a config, which writes nothing and measures nothing between epochs; and how many images there are.

    Args:
        config: the config file.
        data_root: folder, tar or shards of the dataset; None: noise, where it isn't a built-in one.
        workers: processes that decode; 0: this process does.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        launcher: of processes: "pytorch", "slurm", "mpi" or "none"; None: what the environment says.
        overrides: {field of the config: value}, such as {"train.epochs": 20}; None: none.
        noise: images in place of a dataset that isn't here; None: a few.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    experiment, recipe, device = check_config(config, overrides, device)
    distributed.start(launcher, device)
    class_weights, class_names = None, None
    if data_root is not None or get_dataset(experiment.dataset).built_in is not None:
        material = open_material(experiment, data_root)
        experiment, images, class_names = material.experiment, training_images(material), material.class_names
        class_weights = material.class_weights()
        Batches(images.images, recipe, processes=distributed.world_size())  # which refuses those that can't be made
        numbers = Images(len(material.train), len(material.held_out), found=True)
    else:
        images = _noise(experiment, recipe, noise or NOISE)
        training, test = PUBLISHED.get(experiment.dataset, (None, None))
        numbers = Images(training, test, found=False)
    run, _ = bare_run(experiment, images, device, workers, class_names, class_weights)
    return run, numbers


def _noise(experiment: Experiment, recipe: Recipe, number: int) -> TrainingImages:
    """Images of noise, of the size that the protocol takes and of the classes in turn, with the recipe's changes."""
    protocol, classes = protocols.get_protocol(experiment.protocol), experiment.model.num_classes
    side = protocol.image_size or PHOTOGRAPH
    shape = (number, side, side) if protocol.channel_order == "L" else (number, side, side, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = [index % classes for index in range(number)]
    names, sets = [*map(str, range(number))], [(label,) for label in labels] if recipe.label_table else None
    noise = ArrayImages("noise", names, labels, label_sets=sets, pixels=pixels)
    return TrainingImages(noise, protocol, training_transforms(recipe, protocol), classes if sets else None)
