"""The end of a training: its file is measured as by `densezoo test`, curves are drawn, and a card is written."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from densezoo.api.evaluation import evaluate
from densezoo.api.images import OWN
from densezoo.api.material import open_material
from densezoo.api.plan import make_plan
from densezoo.backends.device import choose_device
from densezoo.config import load_config
from densezoo.data.datasets import DATASETS
from densezoo.data.split import FILE as SPLIT
from densezoo.errors import MissingDependencyError, ResultError, TrainingError
from densezoo.evaluation import distributed
from densezoo.evaluation.options import LoadOptions, RunOptions, StoreOptions
from densezoo.evaluation.run import run, run_labels
from densezoo.families import build_architecture
from densezoo.files import write_atomically
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import stated_facts
from densezoo.results.store import result_path
from densezoo.results.training_card import Trained, training_card
from densezoo.training.curves import draw_curves
from densezoo.training.logs import CURVES, JSON_LINES, read_records
from densezoo.training.result import changed
from densezoo.training.schedules import SCHEDULES, get_schedule
from densezoo.training.work_folder import CARD, RESULTS, is_card
from densezoo.types import Experiment, Measurement, Recipe, RunFacts

MAIN = ("lr", "momentum", "weight_decay", "optimiser", "seed")  # of a recipe: a card has them in any case


@dataclass(frozen=True)
class Finished:
    """What a training leaves beside its weights.

    Args:
        result: of the evaluation; of several labels an image an area under the ROC curve for each.
        stored: the result's file.
        card: the model card; None: the folder has a document of that name that isn't one, or was edited, and it stays.
        curves: the picture of the training; None: matplotlib is missing.
    """

    result: Measurement
    stored: Path
    card: Path | None
    curves: Path | None


def finish_training(
    config: str | Path,
    weights: str | Path,
    *,
    data_root: str | Path | None = None,
    workers: int | None = None,
    device: str | None = None,
    launcher: str | None = None,
    overrides: Mapping[str, object] | None = None,
    show_progress: bool = False,
) -> Finished:
    """Measure a trained file on its config's test images, and leave result, curves and card in its folder.

    Every process that trained calls this; the main one writes.

    Args:
        config: that was trained.
        weights: the file that `train_config` returned.
        data_root: folder, tar or shards of the dataset; None: a built-in dataset needs none.
        workers: threads or processes that decode; 0: this process does; None: as many as suit the backend.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        launcher: of processes: "pytorch", "slurm", "mpi" or "none"; None: what the environment says.
        overrides: {field of the config: value}, such as {"train.epochs": 20}; None: none.
        show_progress: of the evaluation, on stderr.

    Raises:
        DensezooError: the file can't be measured; the folder can't be written.
    """
    path, experiment = Path(weights), load_config(config, overrides)
    folder, root = path.parent, Path(data_root) if data_root else None
    options = RunOptions(workers=workers, device=device, launcher=launcher)
    store = StoreOptions(folder / RESULTS, "restart", show_progress=show_progress)
    result: Measurement
    try:
        if experiment.dataset == OWN:  # as the file says of itself: its classes are those of the folders
            result = _of_own_images(LoadOptions(None, path, data_root=root), options, store, experiment)
        else:
            load = LoadOptions(Path(config), path, data_root=root, overrides=overrides or {})
            (result,) = evaluate(load, options, store)
        stored, card, curves = result_path(folder / RESULTS, result), None, None
        if distributed.is_main():
            curves = _curves(folder, path.stem)
            trained = _described(path, experiment, result, curves, _command(experiment, overrides or {}))
            card = _write(folder / CARD, training_card(trained, result, stored.relative_to(folder).as_posix()))
    except ResultError as error:
        go_on = "when that is mended, the training's command with --resume goes on"
        raise ResultError(f"{error}. {path} is trained whole: {go_on}") from None
    return Finished(result, stored, card, curves)


def _of_own_images(load: LoadOptions, options: RunOptions, store: StoreOptions, experiment: Experiment) -> Measurement:
    """The result on the images of a user's own that were held out of the training: those in val/, or those drawn.

    Raises:
        TrainingError: the images are of other classes than the file's by now.
        DensezooError: the file can't be measured; the folder can't be written.
    """
    device = choose_device(options.device)
    distributed.start(options.launcher, device)
    material = open_material(experiment, load.data_root, load.checkpoint.parent / SPLIT)
    names, stated = list(material.class_names or ()), _stated(load.checkpoint).get("class_names")
    if names != stated:
        raise TrainingError(
            f"{load.data_root}: has images of {names}, expected {stated}, as {load.checkpoint} was trained on; give "
            "--data-root of those, or begin anew by --overwrite"
        )
    table = material.recipe.label_table
    with distributed.processes_watched():
        plan = make_plan(replace(load, label_table=None if table is None else Path(table)), options, device, None)
        plan = replace(plan, open_images=lambda subset: material.held_out)
        return run_labels(plan, store)[0] if plan.labels else run(plan, store)[0]


def _stated(path: Path) -> Mapping[str, Any]:
    """What the file of trained weights says of itself."""
    return stated_facts(path, read_checkpoint(path).metadata)


def _curves(folder: Path, title: str) -> Path | None:
    """The picture of the training; without matplotlib none, which is said."""
    try:
        return draw_curves(folder, title)
    except MissingDependencyError as error:
        logging.getLogger("densezoo").warning("no %s: %s", CURVES, error)
        return None


def _described(path: Path, experiment: Experiment, result: RunFacts, curves: Path | None, command: str) -> Trained:
    """What the card says, of the file of weights, the config and the log."""
    facts, recipe = _stated(path), experiment.train
    assert recipe is not None, "it was trained"
    epochs = [record for record in read_records(path.parent / JSON_LINES) if record["event"] == "epoch"]
    names = facts.get("class_names") or (DATASETS[experiment.dataset].names or tuple)()
    return Trained(
        name=path.stem,
        path=path.name,
        size=path.stat().st_size,
        sha256=result.weights_sha256,
        architecture=build_architecture(facts["architecture"], str(path)),
        dataset=experiment.dataset,
        protocol=experiment.protocol,
        command=command,
        recipe=_recipe(recipe),
        started_from=recipe.start.weights if recipe.start else None,
        classes=cast("Sequence[str]", names),
        epochs=len(epochs),
        steps=epochs[-1]["step"] if epochs else 0,
        seconds=sum(epoch["seconds"] for epoch in epochs),
        machine=result.machine or result.device,
        curves=curves.name if curves else None,
    )


def _command(experiment: Experiment, overrides: Mapping[str, object]) -> str:
    """The command that trains the same network anew."""
    changed = [f"{key}={value}" for key, value in overrides.items()]
    return shlex.join(["densezoo", "train", experiment.path, *(["--cfg-options", *changed] if changed else [])])


def _recipe(recipe: Recipe) -> dict[str, object]:
    """{field: value} of the fields in MAIN and of those that have no default or not their default."""
    schedule = next(name for name, each in SCHEDULES.items() if each is get_schedule(recipe.schedule, recipe))
    return changed(replace(recipe, schedule=schedule), always=MAIN)


def _write(path: Path, text: str) -> Path | None:
    """Write the card and return its path; a document of that name that a user wrote or edited stays, which is said."""
    try:
        if path.exists() and not is_card(path):
            said = "no card: %s isn't as densezoo train wrote it, so it stays, and may be of other weights; %s"
            logging.getLogger("densezoo").warning(said, path, "move it away, and --resume writes the card of these")
            return None
        write_atomically(path, text)
    except OSError as error:
        raise ResultError(f"{path}: the card can't be written ({error.strerror})") from None
    return path
