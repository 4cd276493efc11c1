"""Logs of a training run, by name. A new one is one class and one line of the table here."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from densezoo.errors import MissingDependencyError, TrainingError, UnknownNameError
from densezoo.files import write_atomically
from densezoo.training.events import Epoch, Observer, Step

JSON_LINES, CSV, CURVES, TENSORBOARD, WANDB_ID = "log.jsonl", "log.csv", "curves.png", "tensorboard", "wandb.id"
LOGGED_STEPS = 10_000  # at most, of a run: 1.6 MB of JSON lines
#: What logs, and the curves that are drawn from them, leave in the folder of a run, as patterns of paths.
FILES = (JSON_LINES, CSV, CURVES, f"{TENSORBOARD}/events.out.tfevents.*", WANDB_ID)

#: One line of a log: {field: a number, a text or None}.
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Reached:
    """How far the run had come in the state that it goes on from: what a log has of later is cut off.

    Args:
        step: optimiser steps; 0: the run begins.
        epochs: that were told to the observers.
    """

    step: int = 0
    epochs: int = 0

    def covers(self, record: Record) -> bool:
        """Whether a record of a log is of a time before the state was saved."""
        if record["event"] == "epoch":
            return bool(record["epoch"] <= self.epochs)
        return bool(record["step"] <= self.step)


class JsonLines:
    """``log.jsonl``: one JSON object a line, of a logged step or of an epoch.

    A line is whole or missing its end when the run is killed; the next start cuts such a line off.

    Args:
        folder: of the run.
        reached: what was logged before.
    """

    def __init__(self, folder: Path, reached: Reached) -> None:
        self.path = folder / JSON_LINES
        kept = [record for record in read_records(self.path) if reached.covers(record)] if reached.step else []
        with _writing(self.path):
            write_atomically(self.path, "".join(map(_line, kept)))

    def on_step(self, step: Step) -> None:
        if is_logged(step):
            self._write({"event": "step", **dataclasses.asdict(step)})

    def on_epoch(self, epoch: Epoch) -> None:
        self._write(_of_epoch(epoch))

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, record: Record) -> None:
        with _writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))


class Csv:
    """``log.csv``: one row an epoch. It is replaced whole each time, so that a kill leaves no half row.

    Args:
        folder: of the run.
        reached: what was logged before.
    """

    def __init__(self, folder: Path, reached: Reached) -> None:
        self.path = folder / CSV
        self._rows: list[Mapping[str, object]] = []
        if reached.step and self.path.is_file():
            with self.path.open(encoding="utf-8", newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= reached.epochs]
        self._store()

    def on_step(self, step: Step) -> None:
        """Nothing: rows are epochs."""

    def on_epoch(self, epoch: Epoch) -> None:
        record = dict(_of_epoch(epoch))
        del record["event"]
        self._rows.append(record)
        self._store()

    def close(self) -> None:
        """Nothing is open."""

    def _store(self) -> None:
        text = io.StringIO()
        columns = dict.fromkeys(name for row in self._rows for name in row)  # an epoch may be without an evaluation
        writer = csv.DictWriter(
            text, [name for name in columns if name != "seconds"] + ["seconds"], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self._rows)
        with _writing(self.path):
            write_atomically(self.path, text.getvalue())


class TensorBoard:
    """``tensorboard/``: scalars over the optimiser's steps.

    Args:
        folder: of the run.
        reached: TensorBoard hides what was logged of later steps.

    Raises:
        MissingDependencyError: no tensorboard.
    """

    def __init__(self, folder: Path, reached: Reached) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / TENSORBOARD), purge_step=reached.step + 1 if reached.step else None)

    def on_step(self, step: Step) -> None:
        if is_logged(step):
            self._write(_scalars_of_step(step), step.step)

    def on_epoch(self, epoch: Epoch) -> None:
        self._write(_scalars_of_epoch(epoch), epoch.step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _write(self, scalars: Mapping[str, float], step: int) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)


class WeightsAndBiases:
    """A run of Weights & Biases in project "densezoo", named after the folder; WANDB_MODE=offline sends nothing.

    ``wandb.id`` keeps the run's id, by which a resumed run goes on in the same curves.

    Args:
        folder: of the run.
        reached: 0 steps: begin a run; else go on with the folder's.
    """

    def __init__(self, folder: Path, reached: Reached) -> None:
        import wandb

        kept = folder / WANDB_ID
        own = kept.read_text(encoding="utf-8").strip() if reached.step and kept.is_file() else uuid4().hex[:8]
        with _writing(kept):
            write_atomically(kept, own)
        name = folder.resolve().name
        self._run = wandb.init(project="densezoo", name=name, dir=str(folder), id=own, resume="allow")

    def on_step(self, step: Step) -> None:
        if is_logged(step):
            self._run.log(_scalars_of_step(step), step=step.step)

    def on_epoch(self, epoch: Epoch) -> None:
        self._run.log(_scalars_of_epoch(epoch), step=epoch.step)

    def close(self) -> None:
        self._run.finish()


@dataclass(frozen=True)
class Log:
    """A kind of log.

    Args:
        open: (folder of the run, what was logged before) -> the log.
        package: that it needs, and the extra that has it; "": none.
    """

    open: Callable[[Path, Reached], Observer]
    package: str = ""


#: {name, as in ``--log``: the log}
LOGS: Mapping[str, Log] = {
    "jsonl": Log(JsonLines),
    "csv": Log(Csv),
    "tensorboard": Log(TensorBoard, "tensorboard"),
    "wandb": Log(WeightsAndBiases, "wandb"),
}


def is_logged(step: Step) -> bool:
    """Whether logs take a step: all of them, or of a long run LOGGED_STEPS, evenly spaced from the run's first one on.

    What is taken follows from the step's number, so that a resumed run takes the same ones.
    """
    return (step.step - 1) % -(-step.steps // LOGGED_STEPS) == 0


def check_logs(names: Iterable[str]) -> None:
    """Refuse a log that there is not, before torch is imported.

    Args:
        names: of LOGS.

    Raises:
        UnknownNameError: there is none of a name; names the nearest.
        MissingDependencyError: its package isn't installed.
    """
    for name in names:
        if name not in LOGS:
            raise UnknownNameError("log", name, LOGS)
        package = LOGS[name].package
        if package and find_spec(package) is None:
            raise MissingDependencyError(f"--log {name}", package, package)


def open_logs(names: Sequence[str], folder: Path, reached: Reached = Reached()) -> list[Observer]:
    """The logs of a run; JSON lines are always among them, because curves are drawn from those.

    Args:
        names: of LOGS.
        folder: of the run; it exists.
        reached: how far the run had come in the state that it goes on from.

    Raises:
        UnknownNameError: there is no log of a name; names the nearest.
        MissingDependencyError: a log's package isn't installed.
        TrainingError: a log can't be written.
    """
    check_logs(names)
    return [LOGS[name].open(folder, reached) for name in dict.fromkeys(["jsonl", *names])]


def read_records(path: Path) -> list[Record]:
    """The records of JSON lines, in their order; a line that was not written to its end is left out.

    Args:
        path: the file; one that doesn't exist has none.
    """
    if not path.is_file():
        return []
    return [*_whole(path.read_text(encoding="utf-8", errors="replace").splitlines())]


def _whole(lines: Iterable[str]) -> Iterator[Record]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _line(record: Record) -> str:
    """A record as a line; JSON has no word for a number that is not finite, which becomes null."""
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }
    return json.dumps(finite) + "\n"


def _of_epoch(epoch: Epoch) -> Record:
    """An epoch as a flat record, its measures before the seconds."""
    values = dataclasses.asdict(epoch)
    measures, seconds = values.pop("measures"), values.pop("seconds")
    return {"event": "epoch", **values, **measures, "seconds": seconds}


def _scalars_of_step(step: Step) -> dict[str, float]:
    taken = {"train/loss": step.loss, "train/top1": step.top1, "train/lr": step.lr}
    return {name: value for name, value in taken.items() if value is not None}


def _scalars_of_epoch(epoch: Epoch) -> dict[str, float]:
    whole = {"epoch/train_loss": epoch.train_loss, "epoch/train_top1": epoch.train_top1, "epoch/number": epoch.epoch}
    whole |= {f"test/{name}": value for name, value in epoch.measures.items()}
    return {name: value for name, value in whole.items() if value is not None}


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """The operating system's reason as our error."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{path}: the log can't be written ({error.strerror}); mend that, then go on by --resume"
        ) from None
