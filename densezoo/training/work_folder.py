"""The folder of a training run: finding a run's files, resuming it, and removing it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from densezoo.data.split import FILE as SPLIT
from densezoo.errors import TrainingError
from densezoo.evaluation import distributed
from densezoo.evaluation.run_lock import run_lock
from densezoo.files import replaced_by
from densezoo.formats.identity import file_sha256
from densezoo.results.store import LABELS
from densezoo.results.training_card import is_unedited
from densezoo.training import logs
from densezoo.training.result import KEPT
from densezoo.training.state import BEST, State, last_state, state_files
from densezoo.types import Experiment

#: What runs of densezoo leave whose loop was mmengine's.
_START = "[0-9]" * 8 + "_" + "[0-9]" * 6  # mmengine's name for a start: its date and time
_OLDER_LOGS = (f"{_START}.py", f"{_START}/{_START}*.log", f"{_START}/vis_data/*.json", f"{_START}/vis_data/config.py")
_EPOCH, _LIKE_AN_EPOCH = re.compile(r"epoch_(\d+)\.pth"), re.compile(r"epoch_[0-9].*\.pth")  # the glob takes more
_OLDER = ("epoch_[0-9]*.pth", "last_checkpoint")
LOCK = ".lock"  # which a run holds
CARD, RESULTS = "README.md", "results"  # as huggingface.co has a card, and as densezoo test stores
UNCOMPARED = tuple(f"train.{name}" for name in KEPT)  # of a run's facts
SAID = ("threads", "device", "torch")  # of a run's facts: they change its rounding


def check_free(folder: Path, name: str) -> None:
    """Refuse a folder that has the files of a run in it.

    Args:
        folder: of logs and states.
        name: of the config, and so of the trained network's file.

    Raises:
        TrainingError: there is a run; says how far it came and how to go on.
    """
    files = _run_files(folder, name)
    if not files:
        return
    last = last_state(folder)
    reached = f"its last whole state is of {_reached(last[1])}" if last else "without a whole state"
    finished = "finished" if (folder / f"{name}.safetensors") in files else "not finished"
    go_on = "Go on with it by --resume, or remove it" if last else "Remove it"
    raise TrainingError(
        f"{folder}: there is a run in it already, {finished}, {reached}: {', '.join(path.name for path in files)}. "
        f"{go_on} and begin anew by --overwrite, or choose another --work-dir"
    )


def _reached(state: State) -> str:
    progress = state.values["progress"]
    return f"step {progress['step']:,}, after {progress['epochs']} whole epochs"


def check_folder(folder: Path) -> None:
    """Refuse a path that is a file, or a folder that can't be written.

    Args:
        folder: of logs and states; it need not exist.

    Raises:
        TrainingError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder}: expected a folder for logs and states, found a file; choose --work-dir")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder of a run, and keep other runs out of it until the block ends.

    If nothing has come to be in a folder that was made, it is removed then.

    Args:
        folder: of logs and states.

    Raises:
        TrainingError: another process trains there (names it), or the folder can't be made or written.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        with run_lock(folder / LOCK, "trains in the same folder", TrainingError):
            yield
    finally:
        with contextlib.suppress(OSError):  # they hold files
            for path in new:
                path.rmdir()


def check_shared(folder: Path, facts: Mapping[str, object]) -> None:
    """Refuse processes that train different things, or don't see the same folder; every process calls this.

    Args:
        folder: of the run, which the main process holds.
        facts: of the run as this process knows it (`run_facts`).

    Raises:
        TrainingError: they do; the same in all of them.
    """
    distributed.gather(None)  # the main one holds it by now
    seen = distributed.gather(((folder / LOCK).exists(), dict(facts)))
    first = seen[0][1]
    for rank, (shared, other) in enumerate(seen):
        if not shared:
            raise TrainingError(f"{folder}: process {rank} doesn't see process 0's; give a --work-dir that all share")
        names = [name for name in {**first, **other} if name not in SAID and other.get(name) != first.get(name)]
        if names:
            differing = "; ".join(f"{name} {other.get(name)!r}, {first.get(name)!r} there" for name in names)
            raise TrainingError(f"process {rank} trains another thing than process 0: {differing}")


def remove_run(folder: Path, name: str) -> None:
    """Remove a run's states, weights and logs, the unedited card and the results of these weights, and no other file.

    Args:
        folder: of logs and states.
        name: of the config.

    Raises:
        TrainingError: a file can't be removed.
    """
    results, card = _results(folder, name), folder / CARD
    cards = [card] if card.is_file() and is_card(card) else []
    logged = _files(folder, (SPLIT, *logs.FILES, *_OLDER_LOGS))
    for path in [*results, *cards, *_run_files(folder, name), *logged, *_beginnings(folder)]:
        try:
            path.unlink()
        except OSError as error:
            raise TrainingError(f"{path}: can't be removed ({error.strerror}); choose another --work-dir") from None
    within = {parent for path in results for parent in path.relative_to(folder).parents} - {Path()}
    stored = [folder / parent for parent in sorted(within, reverse=True)]
    for path in [*folder.glob(f"{_START}/vis_data"), *folder.glob(_START), folder / logs.TENSORBOARD, *stored]:
        with contextlib.suppress(OSError):  # it may hold other files
            path.rmdir()


def is_card(path: Path) -> bool:
    """Whether a document is a card that a training wrote, and nobody has edited.

    Args:
        path: of the document.
    """
    return is_unedited(path.read_text(encoding="utf-8", errors="replace"))


def _results(folder: Path, name: str) -> list[Path]:
    """The results of a run's weights."""
    weights, stored = (
        folder / f"{name}.safetensors",
        _files(folder, (f"{RESULTS}/*/*@*.json", f"{RESULTS}/*/{LABELS}/*@*.json")),
    )
    sha256 = file_sha256(weights) if stored and weights.is_file() else None
    return [path for path in stored if sha256 and sha256 in path.read_text(encoding="utf-8", errors="replace")]


def _run_files(folder: Path, name: str) -> list[Path]:
    """A run's states and weights, and the checkpoints of an older densezoo's run."""
    return [*state_files(folder).values(), *_files(folder, (BEST, *_OLDER)), *_files(folder, (f"{name}.safetensors",))]


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    files = (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return sorted(path for path in files if not _LIKE_AN_EPOCH.fullmatch(path.name) or _EPOCH.fullmatch(path.name))


def _beginnings(folder: Path) -> list[Path]:
    """The hidden files that kills left while a state or weights were written."""
    hidden = folder.glob(".*") if folder.is_dir() else ()
    return [path for path in hidden if (end := replaced_by(path)) and end.suffix in (".state", ".safetensors")]


def resumable(folder: Path, facts: Mapping[str, object]) -> State | None:
    """The last whole state of a run; None if there is no run.

    Args:
        folder: of logs and states.
        facts: of the run that resumes it (`run_facts`); they must be the same.

    Raises:
        TrainingError: a run without a whole state, the state of another run, or a run of an older densezoo.
    """
    last = last_state(folder)
    files = state_files(folder)
    if last is None:
        if files:
            raise TrainingError(f"{list(files.values())[-1]}: no whole state to go on from; begin anew by --overwrite")
        if older := _files(folder, _OLDER):
            raise TrainingError(
                f"{older[0]}: is of a run of an older densezoo, whose checkpoints this one can't go on "
                "from; remove the run and begin anew by --overwrite, or choose another --work-dir"
            )
        return None
    path, state = last
    for torn in [other for other in files.values() if other.name > path.name]:
        _warn(f"{torn} is torn or damaged: going on from {path.name}")
    former = state.values["run"]
    changed = [name for name in facts if former.get(name) != facts[name] and name not in (*UNCOMPARED, *SAID)]
    if changed:
        differing = [f"{name} {former.get(name)!r}, here {facts[name]!r}" for name in changed]
        raise TrainingError(
            f"{path}: is of another run: {'; '.join(differing)}. --resume goes on with the same one; give its config "
            "and options, or choose another --work-dir, or begin anew by --overwrite"
        )
    rounded = [name for name in SAID if name in facts and former.get(name, facts[name]) != facts[name]]
    if rounded:
        differing = [f"{name} {former[name]}, here {facts[name]}" for name in rounded]
        _warn(f"{path} is of {'; '.join(differing)}: what follows is the same to rounding, not to the bit")
    return state


def _warn(text: str) -> None:
    """Tell the user, once of all processes."""
    if distributed.is_main():
        logging.getLogger("densezoo").warning("warning: %s", text)


def make_folder(folder: Path) -> None:
    """Make the folder of a run, if it isn't there.

    Args:
        folder: of logs and states.

    Raises:
        TrainingError: it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder}: can't be made ({error.strerror}); choose another --work-dir") from None


def remove_beginnings(folder: Path) -> None:
    """Remove the hidden files that kills left while a state or weights were written.

    Args:
        folder: of a run that no other process writes now.
    """
    for path in _beginnings(folder):
        path.unlink(missing_ok=True)


def run_facts(experiment: Experiment, processes: int, images: str, device: str = "cpu") -> dict[str, object]:
    """The facts that a run is started with, as JSON values: {"train.lr": 0.1, ..., "processes": 1}.

    Args:
        experiment: the config.
        processes: how many train together.
        images: the sha256 over the training images' ids and labels.
        device: that computes.
    """
    rounding = {"threads": torch.get_num_threads(), "device": device, "torch": str(torch.__version__)}
    described = dataclasses.asdict(dataclasses.replace(experiment, name="", path=""))
    return {**dict(_flat(described)), "processes": processes, "images": images, **rounding}


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value
