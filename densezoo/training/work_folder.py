"""The folder of a training run: finding a run's files, resuming it, and removing it."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from densezoo.errors import TrainingError
from densezoo.types import Experiment

_START = "[0-9]" * 8 + "_" + "[0-9]" * 6  # mmengine's name for a start: its date and time
_LOGS = (f"{_START}.py", f"{_START}/{_START}*.log", f"{_START}/vis_data/*.json", f"{_START}/vis_data/config.py")
_RESULTS = ("epoch_[0-9]*.pth", "last_checkpoint")
#: Facts of runs whose checkpoints are older than these fields.
_OLDER_FACTS = {"train.optimiser": "sgd"}
_EPOCH, _LIKE_AN_EPOCH = re.compile(r"epoch_(\d+)\.pth"), re.compile(r"epoch_[0-9].*\.pth")  # the glob takes more


def check_free(folder: Path, name: str) -> None:
    """Refuse a folder that has the files of a run in it.

    Args:
        folder: of logs and checkpoints.
        name: of the config, and so of the trained network's file.

    Raises:
        TrainingError: there is a run; says how far it came and how to go on.
    """
    files = [*_files(folder, _RESULTS), *_files(folder, (f"{name}.safetensors",))]
    if files:
        epochs = checkpoints(folder)
        state = f"its last whole checkpoint is of epoch {max(epochs)}" if epochs else "without a whole checkpoint"
        finished = "finished" if (folder / f"{name}.safetensors") in files else "not finished"
        go_on = "Go on with it by --resume, or remove it" if epochs else "Remove it"
        raise TrainingError(
            f"{folder}: there is a run in it already, {finished}, {state}: {', '.join(path.name for path in files)}. "
            f"{go_on} and begin anew by --overwrite, or choose another --work-dir"
        )


def check_folder(folder: Path) -> None:
    """Refuse a path that is a file.

    Args:
        folder: of logs and checkpoints; it need not exist.

    Raises:
        TrainingError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder}: expected a folder for logs and checkpoints, found a file; choose --work-dir")


def checkpoints(folder: Path) -> dict[int, Path]:
    """{epoch: its checkpoint}, without checkpoints that were not written to their end.

    Args:
        folder: of logs and checkpoints.
    """
    by_epoch = {}
    for path in _files(folder, _RESULTS[:1]):
        number = _EPOCH.fullmatch(path.name)
        if number and zipfile.is_zipfile(path):  # which it is only if its end is there
            by_epoch[int(number[1])] = path
    return by_epoch


def remove_run(folder: Path, name: str) -> None:
    """Remove a run's checkpoints, logs and trained network, and no other file.

    Args:
        folder: of logs and checkpoints.
        name: of the config.

    Raises:
        TrainingError: a file can't be removed.
    """
    for path in [*_files(folder, _RESULTS), *_files(folder, (f"{name}.safetensors",)), *_files(folder, _LOGS)]:
        try:
            path.unlink()
        except OSError as error:
            raise TrainingError(f"{path}: can't be removed ({error.strerror}); choose another --work-dir") from None
    for path in [*folder.glob(f"{_START}/vis_data"), *folder.glob(_START)]:
        with contextlib.suppress(OSError):  # it may hold other files
            path.rmdir()


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    files = (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return sorted(path for path in files if not _LIKE_AN_EPOCH.fullmatch(path.name) or _EPOCH.fullmatch(path.name))


def kept_epochs(folder: Path) -> str:
    """The message on the last epoch that an interrupted run has kept, and how to go on; "" if it has kept none.

    Args:
        folder: of logs and checkpoints.
    """
    epochs = checkpoints(folder)
    return f"epoch {max(epochs)} is kept in {folder}: the same command with --resume goes on" if epochs else ""


def resumable(folder: Path, facts: Mapping[str, Any]) -> Path | None:
    """The last whole checkpoint of a run; None if there is no run.

    Args:
        folder: of logs and checkpoints.
        facts: of the run that resumes it (`run_facts`); they must be the same.

    Raises:
        TrainingError: a run without a whole checkpoint, a checkpoint of another run, or one that can't be read
            without running code from it.
    """
    by_epoch = checkpoints(folder)
    if not by_epoch:
        if torn := _files(folder, _RESULTS):
            raise TrainingError(f"{torn[0]}: no whole checkpoint to go on from; begin anew by --overwrite")
        return None
    path = by_epoch[max(by_epoch)]
    former = {**_OLDER_FACTS, **_facts(path)}
    changed = [name for name in facts if former.get(name) != facts[name]]
    differing = [f"{name} {former.get(name)!r}, here {facts[name]!r}" for name in changed]
    if differing:
        raise TrainingError(
            f"{path}: is of another run: {'; '.join(differing)}. --resume goes on with the same one; give its config "
            "and options, or choose another --work-dir, or begin anew by --overwrite"
        )
    return path


def _facts(path: Path) -> Mapping[str, Any]:
    import torch

    try:
        facts: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)["run"]
    except Exception as error:  # torch raises many kinds for a broken file, and another for one that would run code
        raise TrainingError(
            f"{path}: damaged, or no checkpoint that this version of densezoo can go on from ({type(error).__name__}); "
            "remove it to go on from the one before, or begin anew by --overwrite"
        ) from None
    return facts


def run_facts(experiment: Experiment, processes: int) -> dict[str, Any]:
    """The facts that a run is started with, as JSON values: {"train.lr": 0.1, ..., "processes": 1}.

    Args:
        experiment: the config.
        processes: how many train together.
    """
    described = dataclasses.asdict(dataclasses.replace(experiment, name="", path=""))
    return {**dict(_flat(described)), "processes": processes}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value
