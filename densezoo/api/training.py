"""Trains the network that a config describes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from densezoo import protocols
from densezoo.api.material import Material, open_material
from densezoo.api.models import create_model
from densezoo.api.names import check_names
from densezoo.backends.device import choose_device
from densezoo.data.split import FILE as SPLIT
from densezoo.data.split import store_split
from densezoo.errors import ConfigError, FormatError, TrainingError, UnknownNameError
from densezoo.evaluation import distributed
from densezoo.families import family_of
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import stated_facts, write_safetensors
from densezoo.training import work_folder
from densezoo.training.augmentations import training_transforms
from densezoo.training.data import TrainingImages, check_classes
from densezoo.training.distillation import Teacher, load_teacher
from densezoo.training.events import Observer
from densezoo.training.logs import Reached, check_logs, open_logs
from densezoo.training.progress import ProgressLine
from densezoo.training.recipe import check_recipe
from densezoo.training.result import differing, trained_facts
from densezoo.training.run import Run, has_ended, train
from densezoo.training.start import Started, start_network
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
        data_root: folder, tar or shards of the dataset; None: a built-in dataset needs none.
        work_dir: folder of logs and states; None: ``work_dirs/<config>``. One that has a run in it is refused.
        resume: go on from the last state in ``work_dir``, on a CPU bit for bit; a finished run stays as it is.
        overwrite: remove the files of the run in ``work_dir``, and begin anew.
        logs: names of `densezoo.training.logs.LOGS`, beside ``log.jsonl``, which is always written.
        show_progress: write on stderr how far the run is.
        workers: processes that decode; 0: this process does.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        launcher: of processes: "pytorch", "slurm", "mpi" or "none"; None: what the environment says.
        overrides: {field of the config: value}, such as {"train.epochs": 20}; None: none.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
        KeyboardInterrupt: a signal came; the state is saved, the message says where.
    """
    experiment, recipe, device = check_config(config, overrides, device)
    check_logs(logs)
    folder = Path(work_dir or Path("work_dirs") / experiment.name)
    _check_folder(folder, experiment.name, resume, overwrite)
    distributed.start(launcher, device)
    path = folder / f"{experiment.name}.safetensors"
    with distributed.processes_watched():
        material = open_material(experiment, data_root, folder / SPLIT if resume else None)
        facts = _facts(material, device)
        with _alone_in(folder, facts, experiment.name, resume, overwrite):
            state = _resumable(folder, facts, path) if resume else None
            if not (resume and _is_finished(path, state, material)):
                training = _run(material, folder, facts, device, workers)
                _prepare(folder, material, overwrite, [*material.said, *training.said])
                with _told(folder, recipe, logs, state, show_progress) as observers:
                    training.write_weights(path, train(training, observers, state), {})
    return path


@contextmanager
def _alone_in(folder: Path, facts: Mapping[str, object], name: str, resume: bool, overwrite: bool) -> Iterator[None]:
    """Keep other runs out of the folder, which all processes of this one see, while the block runs.

    Raises:
        TrainingError: another run is in it, or has been there since it was first looked at.
    """
    with work_folder.held(folder) if distributed.is_main() else nullcontext():
        _check_folder(folder, name, resume, overwrite)
        work_folder.check_shared(folder, facts)
        yield


def _facts(material: Material, device: str) -> dict[str, object]:
    """The facts of the run that this process is part of."""
    return work_folder.run_facts(material.experiment, distributed.world_size(), material.train.listing(), device)


def _is_finished(path: Path, state: State | None, material: Material) -> bool:
    """Whether a run is finished: the trained network's file is there, and its last state is of the end; says so.

    Raises:
        TrainingError: there is no state, and the file says that it is of another training.
    """
    if not path.exists() or not (state is None or has_ended(state, material.recipe)):
        return False
    log, level = logging.getLogger("densezoo"), logging.WARNING if distributed.is_main() else logging.DEBUG
    try:
        stated = stated_facts(path, read_checkpoint(path).metadata)
    except FormatError as error:
        if state is None:
            raise
        log.log(level, "%s: it is written anew, by the last state", error)
        return False
    differences = differing(stated, trained_facts(material.experiment, material.class_names))
    if differences and state is None:
        raise TrainingError(
            f"{path}: is of another training: {'; '.join(differences)}. Give its config and options, or choose "
            "another --work-dir, or begin anew by --overwrite"
        )
    log.log(level, "%s: the run is finished; there is nothing left to train", path.parent)
    return True


def check_config(
    config: str | Path, overrides: Mapping[str, object] | None, device: str | None
) -> tuple[Experiment, Recipe, str]:
    """What a config trains, how, and on which device.

    Raises:
        ConfigError, UnknownNameError: it can't be read, names what there is not, or trains nothing.
    """
    experiment = check_names(config, overrides=overrides, device=device)
    if experiment is None or experiment.train is None:
        raise ConfigError(f"{config}: has no 'train' entry; it is for evaluation only")
    check_recipe(experiment.train, multi_label=experiment.train.label_table is not None)
    modes = family_of(experiment.model).memory_modes
    if experiment.train.memory not in modes:  # now, before --overwrite has removed a run
        raise UnknownNameError("memory mode", experiment.train.memory, modes)
    return experiment, experiment.train, choose_device(device)


def _run(material: Material, folder: Path, facts: Mapping[str, object], device: str, workers: int) -> Run:
    """What is trained, and how."""
    weights = material.class_weights()
    run, started = bare_run(
        material.experiment, training_images(material), device, workers, material.class_names, weights
    )
    return dataclasses.replace(
        run,
        evaluate=material.measuring(device),
        folder=folder,
        facts=facts,
        write_weights=partial(_write_weights, material, started),
    )


def bare_run(
    experiment: Experiment,
    images: TrainingImages,
    device: str,
    workers: int,
    class_names: Sequence[str] | None,
    class_weights: Tensor | None,
) -> tuple[Run, Started]:
    """A run that measures nothing between epochs and writes nothing; and what it begins with.

    Args:
        experiment: the config's, with a recipe.
        images: to train on.
        device: that trains.
        workers: processes that decode.
        class_names: of the images; None: they are not known.
        class_weights: float32 (classes,), of the loss; None: all 1.
    """
    assert experiment.train is not None
    torch.manual_seed(experiment.train.seed)  # from which weights are drawn
    started = _first_network(experiment)
    teacher = _find_teacher(experiment, device, class_names)
    run = Run(
        network=started.network,
        architecture=started.architecture,
        images=images,
        recipe=experiment.train,
        device=device,
        workers=workers,
        evaluate=lambda network: {},
        folder=Path(),
        facts={},
        write_weights=lambda path, network, measures: None,
        teacher=teacher,
        class_weights=class_weights,
        said=(*started.said, *(teacher.said if teacher else ())),
    )
    return run, started


def _first_network(experiment: Experiment) -> Started:
    """The network that training begins with: of random weights, or of those that the recipe names."""
    assert experiment.train is not None
    if experiment.train.start is not None:
        return start_network(experiment.train.start, experiment.model)
    return Started(create_model(experiment.model), experiment.model, {}, ())


def _find_teacher(experiment: Experiment, device: str, class_names: Sequence[str] | None) -> Teacher | None:
    """Whose answers are imitated, if the recipe names one; `load_teacher` explains the rest."""
    assert experiment.train is not None
    distillation = experiment.train.distillation
    return load_teacher(distillation, experiment, device, class_names) if distillation else None


def training_images(material: Material) -> TrainingImages:
    """The images to train on, augmented.

    Raises:
        DatasetError: a class has no image to train on.
    """
    experiment, classes = material.experiment, material.experiment.model.num_classes
    several = material.recipe.label_table is not None
    check_classes(material.train, classes, material.class_names if several else None)
    protocol = protocols.get_protocol(experiment.protocol)
    transforms = training_transforms(material.recipe, protocol)
    return TrainingImages(material.train, protocol, transforms, classes if several else None)


@contextmanager
def _told(
    folder: Path, recipe: Recipe, logs: Sequence[str], state: State | None, show_progress: bool
) -> Iterator[list[Observer]]:
    """Who is told of each step and epoch: nobody but in the main process; they are closed when the block ends."""
    with ExitStack() as stack:
        observers: list[Observer] = []
        if distributed.is_main():
            progress = state.values["progress"] if state else {"step": 0, "epochs": 0}
            observers += open_logs(logs, folder, Reached(progress["step"], progress["epochs"]))
            observers += [ProgressLine(recipe.epochs)] if show_progress else []
        for observer in observers:
            stack.callback(observer.close)
        yield observers


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


def _prepare(folder: Path, material: Material, overwrite: bool, said: Sequence[str]) -> None:
    """Have the split of the images in the folder, and nothing of what a kill left half written, or of a former run.

    Then tell the user what was found and done (``said``).

    Raises:
        TrainingError, DatasetError: it can't be written.
    """
    if not distributed.is_main():
        return
    if overwrite:
        work_folder.remove_run(folder, material.experiment.name)
    work_folder.remove_beginnings(folder)
    if material.split is not None:
        store_split(folder / SPLIT, material.split)
    for line in said:
        logging.getLogger("densezoo").warning(line)


def _resumable(folder: Path, facts: Mapping[str, object], path: Path) -> State | None:
    """The state to go on from, the same in all processes; says so where there is no run, not even a finished one.

    Raises:
        TrainingError: a run without a whole state, the state of another run or of an older densezoo; processes that
            don't see the same folder.
    """
    state = work_folder.resumable(folder, facts)
    steps = distributed.gather(state and state.values["progress"]["step"])
    if len(set(steps)) > 1:
        raise TrainingError(
            f"{folder}: the processes find states of different steps in it: {steps}; give a --work-dir that all share"
        )
    if state is None and not path.exists() and distributed.is_main():
        logging.getLogger("densezoo").warning("%s: there is no run to go on with; one begins", folder)
    return state


def _write_weights(
    material: Material, started: Started, path: Path, network: nn.Module, measures: Mapping[str, float]
) -> None:
    """Write trained weights, with all that using them needs; the main process alone does.

    Raises:
        TrainingError: no room, or the folder can't be written.
    """
    if not distributed.is_main():
        return
    experiment = dataclasses.replace(material.experiment, model=started.architecture)
    facts = trained_facts(experiment, material.class_names, started.facts or None)
    try:
        write_safetensors(path, network.state_dict(), facts)
    except OSError as error:
        raise TrainingError(
            f"{path}: can't be written ({error.strerror or error}); the states stay. Make room or mend that, then the "
            "same command with --resume goes on"
        ) from None
