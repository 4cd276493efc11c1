"""Trains the network that a config describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmengine.runner import set_random_seed
from torch import nn

from densezoo import protocols
from densezoo.api.images import open_images
from densezoo.api.models import create_model
from densezoo.api.names import check_names
from densezoo.backends.device import choose_device
from densezoo.data.images import ImageSet
from densezoo.errors import ConfigError
from densezoo.evaluation import distributed, run
from densezoo.evaluation.hashing import hashed
from densezoo.families import architecture_values
from densezoo.formats.safetensors import write_safetensors
from densezoo.training import work_folder
from densezoo.training.augmentations import training_transforms
from densezoo.training.data import TrainingImages
from densezoo.training.recipe import check_recipe
from densezoo.training.run import train
from densezoo.types import Experiment, Recipe


def train_config(
    config: str | Path,
    *,
    data_root: str | Path | None = None,
    work_dir: str | Path | None = None,
    workers: int = 2,
    device: str | None = None,
    launcher: str | None = None,
    overrides: Mapping[str, object] | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train the network that a config describes; return the checkpoint, ``<work_dir>/<config>.safetensors``.

    Args:
        config: the config file.
        work_dir: folder of logs and checkpoints; None: ``work_dirs/<config>``. One that has a run in it is refused.
        resume: go on after the last whole epoch of the run in ``work_dir``, if there is one. On a CPU in one
            process with ``workers=0`` the result is the same, bit for bit, as without the interruption; otherwise the
            augmentation of the remaining epochs draws other random numbers.
        overwrite: remove the files of the run in ``work_dir``, and begin anew.
        data_root, workers, device, launcher, overrides: as for `evaluate_checkpoint`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    experiment, recipe = _check_config(config, overrides, device)
    chosen_device = choose_device(device)
    folder = Path(work_dir or Path("work_dirs") / experiment.name)
    _check_folder(folder, experiment.name, resume, overwrite)
    images, held_out = _open_halves(experiment, recipe, data_root)
    launcher = distributed.start(launcher, chosen_device)
    started_with = work_folder.run_facts(experiment, distributed.world_size())
    resume_from = work_folder.resumable(folder, started_with) if resume else None
    set_random_seed(recipe.seed, deterministic=True)  # before the weights are drawn
    network = create_model(experiment.model)
    measure = _measuring(held_out, experiment, chosen_device, recipe.batch_size)
    if overwrite and distributed.is_main():
        work_folder.remove_run(folder, experiment.name)
    with _saying_what_is_kept(folder):
        train(network, images, recipe, measure, folder, workers, launcher, started_with, resume_from)
    path = folder / f"{experiment.name}.safetensors"
    if distributed.is_main():
        _write_trained(path, network, experiment, recipe.seed)
    return path


def _check_config(
    config: str | Path, overrides: Mapping[str, object] | None, device: str | None
) -> tuple[Experiment, Recipe]:
    """What a config trains, and how.

    Raises:
        ConfigError, UnknownNameError: it can't be read, names what there is not, or trains nothing.
    """
    experiment = check_names(config, overrides=overrides, device=device)
    if experiment is None or experiment.train is None:
        raise ConfigError(f"{config}: has no 'train' entry; it is for evaluation only")
    check_recipe(experiment.train)
    return experiment, experiment.train


def _open_halves(
    experiment: Experiment, recipe: Recipe, data_root: str | Path | None
) -> tuple[TrainingImages, ImageSet]:
    """The images to train on, augmented, and those to measure on."""
    images, held_out = (open_images(experiment, data_root, split) for split in ("train", "test"))
    protocol = protocols.get_protocol(experiment.protocol)
    return TrainingImages(images, protocol, training_transforms(recipe, protocol)), held_out


def _measuring(
    held_out: ImageSet, experiment: Experiment, device: str, batch_size: int
) -> Callable[[nn.Module], Mapping[str, float]]:
    """What is measured between epochs: network -> {"top1": percent, "top5": percent}."""
    test_images, protocol = hashed(held_out), protocols.get_protocol(experiment.protocol)
    return lambda network: run.percentages(network, test_images, protocol, experiment.model, device, batch_size)


@contextmanager
def _saying_what_is_kept(folder: Path) -> Iterator[None]:
    """An interruption says what it leaves in the folder."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.args = (work_folder.kept_epochs(folder),)
        raise


def _check_folder(folder: Path, name: str, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that has a run in it, unless the user chose to resume or overwrite it.

    Raises:
        ConfigError: both are asked for.
        TrainingError: the folder can't be written, or has a run in it.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude each other: go on with a run, or remove it")
    work_folder.check_folder(folder)
    if not (resume or overwrite):
        work_folder.check_free(folder, name)


def _write_trained(path: Path, network: nn.Module, experiment: Experiment, seed: int) -> None:
    """Write the trained weights, with architecture, dataset and protocol."""
    facts = {"architecture": architecture_values(experiment.model), "config": experiment.path, "seed": seed}
    facts |= {"dataset": experiment.dataset, "protocol": experiment.protocol}
    write_safetensors(path, network.state_dict(), facts)
