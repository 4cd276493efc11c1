"""What a training run leaves in its folder: whether there is one, what it can go on from, and its removal."""

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
#: What a checkpoint's run was started with where the checkpoint doesn't say: it is older than the field.
_BEFORE = {"train.optimiser": "sgd"}
_EPOCH, _LIKE_AN_EPOCH = re.compile(r"epoch_(\d+)\.pth"), re.compile(r"epoch_[0-9].*\.pth")  # the glob takes more


def check_free(folder: Path, name: str) -> None:
    """Refuse to begin where a run's files are.

    Args:
        name: of the config, and so of the trained network's file.

    Raises:
        TrainingError: names the folder, how far that run came, and both ways to go on.
    """
    found = [*_found(folder, _RESULTS), *_found(folder, (f"{name}.safetensors",))]
    if found:
        epochs = checkpoints(folder)
        state = f"its last whole checkpoint is of epoch {max(epochs)}" if epochs else "without a whole checkpoint"
        finished = "finished" if (folder / f"{name}.safetensors") in found else "not finished"
        go_on = "Go on with it by --resume, or remove it" if epochs else "Remove it"
        raise TrainingError(
            f"{folder}: there is a run in it already, {finished}, {state}: {', '.join(path.name for path in found)}. "
            f"{go_on} and begin anew by --overwrite, or choose another --work-dir"
        )


def check_folder(folder: Path) -> None:
    """Refuse what is no folder.

    Raises:
        TrainingError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder}: expected a folder for logs and checkpoints, found a file; choose --work-dir")


def checkpoints(folder: Path) -> dict[int, Path]:
    """{epoch: its checkpoint}, without those that a run was killed in the middle of writing."""
    found = {}
    for path in _found(folder, _RESULTS[:1]):
        number = _EPOCH.fullmatch(path.name)
        if number and zipfile.is_zipfile(path):  # the end of the file is there
            found[int(number[1])] = path
    return found


def remove_run(folder: Path, name: str) -> None:
    """Remove a run's checkpoints, logs and trained network, and no other file.

    Raises:
        TrainingError: a file can't be removed.
    """
    for path in [*_found(folder, _RESULTS), *_found(folder, (f"{name}.safetensors",)), *_found(folder, _LOGS)]:
        try:
            path.unlink()
        except OSError as error:
            raise TrainingError(f"{path}: can't be removed ({error.strerror}); choose another --work-dir") from None
    for path in [*folder.glob(f"{_START}/vis_data"), *folder.glob(_START)]:
        with contextlib.suppress(OSError):  # somebody else's file is in it
            path.rmdir()


def _found(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return sorted(path for path in found if not _LIKE_AN_EPOCH.fullmatch(path.name) or _EPOCH.fullmatch(path.name))


def kept(folder: Path) -> str:
    """What an interrupted run has left, and how to go on; "" where it is nothing."""
    epochs = checkpoints(folder)
    return f"epoch {max(epochs)} is kept in {folder}: the same command with --resume goes on" if epochs else ""


def resumable(folder: Path, facts: Mapping[str, Any]) -> Path | None:
    """The last whole checkpoint of a run in the folder; None where there is no run.

    Args:
        facts: what the run has to have been started with (`run_facts`).

    Raises:
        TrainingError: a run without a whole checkpoint, a checkpoint of another run, or one that can't be read
            without running code from it.
    """
    found = checkpoints(folder)
    if not found:
        if torn := _found(folder, _RESULTS):
            raise TrainingError(f"{torn[0]}: no whole checkpoint to go on from; begin anew by --overwrite")
        return None
    path = found[max(found)]
    before = {**_BEFORE, **_facts(path)}
    changed = [name for name in facts if before.get(name) != facts[name]]
    differing = [f"{name} {before.get(name)!r}, here {facts[name]!r}" for name in changed]
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
    except Exception as error:  # torch raises a dozen kinds for what is broken, and another where code would run
        raise TrainingError(
            f"{path}: damaged, or no checkpoint that this version of densezoo can go on from ({type(error).__name__}); "
            "remove it to go on from the one before, or begin anew by --overwrite"
        ) from None
    return facts


def run_facts(experiment: Experiment, processes: int) -> dict[str, Any]:
    """{"train.lr": 0.1, ..., "processes": 1}: what a run was started with, as JSON values.

    Args:
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
