"""Trains the network that a config describes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from densezoo import protocols
from densezoo.api.images import open_images
from densezoo.api.models import create_model
from densezoo.api.names import check_names
from densezoo.backends.device import choose_device
from densezoo.data.images import ImageSet
from densezoo.errors import ConfigError, TrainingError
from densezoo.evaluation import distributed, run
from densezoo.evaluation.hashing import hashed
from densezoo.families import architecture_values
from densezoo.formats.safetensors import write_safetensors
from densezoo.training import work_folder
from densezoo.training.augmentations import training_transforms
from densezoo.training.data import TrainingImages, check_classes
from densezoo.training.distillation import load_teacher
from densezoo.training.events import Observer
from densezoo.training.logs import Reached, check_logs, open_logs
from densezoo.training.progress import ProgressLine
from densezoo.training.recipe import check_recipe
from densezoo.training.run import Run, has_ended, train
from densezoo.training.state import State
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
    logs: Sequence[str] = (),
    show_progress: bool = False,
) -> Path:
    """Train the network that a config describes; return the checkpoint, ``<work_dir>/<config>.safetensors``.

    Args:
        config: the config file.
        work_dir: folder of logs and states; None: ``work_dirs/<config>``. One that has a run in it is refused.
        resume: go on from the last state of the run in ``work_dir``, if there is one. On a CPU the result is the same,
            bit for bit, as without the interruption. A run that is finished stays as it is.
        overwrite: remove the files of the run in ``work_dir``, and begin anew.
        logs: names of `densezoo.training.logs.LOGS`, beside ``log.jsonl``, which is always written.
        show_progress: write on stderr how far the run is.
        data_root, workers, device, launcher, overrides: as for `evaluate_checkpoint`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
        KeyboardInterrupt: a signal came; the state is saved, the message says where.
    """
    experiment, recipe = _check_config(config, overrides, device)
    check_logs(logs)
    chosen_device = choose_device(device)
    folder = Path(work_dir or Path("work_dirs") / experiment.name)
    _check_folder(folder, experiment.name, resume, overwrite)
    images, held_out = _open_halves(experiment, recipe, data_root)
    distributed.start(launcher, chosen_device)
    facts = work_folder.run_facts(experiment, distributed.world_size(), images.images.listing())
    state = _resumable(folder, facts) if resume else None
    path = folder / f"{experiment.name}.safetensors"
    if resume and path.exists() and (state is None or has_ended(state, recipe)):
        logging.getLogger("densezoo").warning("%s: the run is finished; there is nothing left to train", folder)
        return path
    _clear(folder, experiment.name, overwrite)
    torch.manual_seed(recipe.seed)  # from which the weights are drawn
    training = Run(
        network=create_model(experiment.model),
        architecture=experiment.model,
        images=images,
        recipe=recipe,
        device=chosen_device,
        workers=workers,
        evaluate=_measuring(held_out, experiment, chosen_device, recipe.batch_size),
        folder=folder,
        facts=facts,
        write_weights=partial(_write_weights, experiment, recipe),
        teacher=load_teacher(recipe.distillation, experiment, chosen_device) if recipe.distillation else None,
    )
    observers = _observers(folder, recipe, logs, state, show_progress) if distributed.is_main() else []
    try:
        trained = train(training, observers, state)
    finally:
        for observer in observers:
            observer.close()
    if distributed.is_main():
        _write_weights(experiment, recipe, path, trained, {})
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
    """The images to train on, augmented, and those to measure on.

    Raises:
        DatasetError: one can't be read; a class has no image to train on.
    """
    images, held_out = (open_images(experiment, data_root, split) for split in ("train", "test"))
    check_classes(images, experiment.model.num_classes)
    protocol = protocols.get_protocol(experiment.protocol)
    return TrainingImages(images, protocol, training_transforms(recipe, protocol)), held_out


def _measuring(
    held_out: ImageSet, experiment: Experiment, device: str, batch_size: int
) -> Callable[[nn.Module], Mapping[str, float]]:
    """What is measured between epochs: network -> {"top1": percent, "top5": percent}."""
    test_images, protocol = hashed(held_out), protocols.get_protocol(experiment.protocol)
    return lambda network: run.percentages(network, test_images, protocol, experiment.model, device, batch_size)


def _observers(
    folder: Path, recipe: Recipe, logs: Sequence[str], state: State | None, show_progress: bool
) -> list[Observer]:
    """Who is told of each step and epoch."""
    progress = state.values["progress"] if state else {"step": 0, "epochs": 0}
    told = open_logs(logs, folder, Reached(progress["step"], progress["epochs"]))
    return [*told, ProgressLine(recipe.epochs)] if show_progress else told


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


def _clear(folder: Path, name: str, overwrite: bool) -> None:
    """Make the folder, without what a kill left half written in it; with ``overwrite`` without a former run."""
    if distributed.is_main():
        if overwrite:
            work_folder.remove_run(folder, name)
        work_folder.make_folder(folder)
        work_folder.remove_beginnings(folder)


def _resumable(folder: Path, facts: Mapping[str, object]) -> State | None:
    """The state to go on from, the same in all processes.

    Raises:
        TrainingError: as of `work_folder.resumable`; processes that don't see the same folder.
    """
    state = work_folder.resumable(folder, facts)
    steps = distributed.gather(state and state.values["progress"]["step"])
    if len(set(steps)) > 1:
        raise TrainingError(
            f"{folder}: the processes find states of different steps in it: {steps}; give a --work-dir that all share"
        )
    return state


def _write_weights(
    experiment: Experiment, recipe: Recipe, path: Path, network: nn.Module, measures: Mapping[str, float]
) -> None:
    """Write trained weights, with architecture, dataset and protocol."""
    facts = {"architecture": architecture_values(experiment.model), "config": experiment.path, "seed": recipe.seed}
    facts |= {"dataset": experiment.dataset, "protocol": experiment.protocol}
    write_safetensors(path, network.state_dict(), facts)
