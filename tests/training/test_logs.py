"""Logs of a run: what they hold, and that a run which was killed and resumed leaves the same ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from densezoo.errors import MissingDependencyError, TrainingError, UnknownNameError
from densezoo.training import logs
from densezoo.training.events import Epoch, Step
from densezoo.training.logs import Reached, check_logs, is_logged, open_logs, read_records

STEPS, EPOCHS = 4, 3  # steps an epoch
BEGIN = Reached()


def events(after: int = 0, until: int = STEPS * EPOCHS, second: float = 1.0) -> Iterator[Step | Epoch]:
    """What a run tells after a number of steps; it is evaluated every second epoch and at its end."""
    for number in range(after + 1, until + 1):
        epoch = (number - 1) // STEPS + 1
        yield Step(epoch, number, STEPS * EPOCHS, 0.1 / epoch, 2.5 / number, None if number == 2 else 50.0, 8, second)
        if number % STEPS == 0:
            measures = {"top1": 60.0 + epoch, "loss": 1.5} if epoch != 1 else {}
            yield Epoch(epoch, EPOCHS, number, 0.1 / epoch, 2.0 / epoch, 40.0 * epoch / 3, second * STEPS, measures)


def log(names: Sequence[str], folder: Path, told: Iterable[Step | Epoch], reached: Reached = BEGIN) -> None:
    """Open the logs, tell them, close them."""
    opened = open_logs(names, folder, reached)
    for event in told:
        for each in opened:
            each.on_step(event) if isinstance(event, Step) else each.on_epoch(event)
    for each in opened:
        each.close()


def without_times(folder: Path) -> tuple[list[dict[str, object]], list[dict[str, str]]]:
    """JSON lines and rows of the CSV without their seconds."""
    lines = [dict(record) for record in read_records(folder / "log.jsonl")]
    with (folder / "log.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert {record.pop("seconds") is not None for record in lines} == {True}
    assert {row.pop("seconds") != "" for row in rows} == {True}
    return lines, rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run."""
    folder: Path = tmp_path_factory.mktemp("whole")
    log(["csv"], folder, events())
    return folder


def test_what_they_hold(whole: Path) -> None:
    lines, rows = without_times(whole)
    assert [line["event"] for line in lines] == (["step"] * STEPS + ["epoch"]) * EPOCHS
    assert lines[0] == {
        "event": "step",
        "epoch": 1,
        "step": 1,
        "steps": 12,
        "lr": 0.1,
        "loss": 2.5,
        "top1": 50.0,
        "images": 8,
    }
    assert lines[-1] == {
        "event": "epoch", "epoch": 3, "epochs": 3, "step": 12, "lr": 0.1 / 3, "train_loss": 2 / 3, "train_top1": 40.0,
        "top1": 63.0, "loss": 1.5,
    }  # fmt: skip
    assert (whole / "log.csv").read_text().splitlines()[0] == (
        "epoch,epochs,step,lr,train_loss,train_top1,top1,loss,seconds"
    )
    assert [row["top1"] for row in rows] == ["", "62.0", "63.0"]


@pytest.mark.parametrize(("saved", "epochs", "killed"), [(4, 1, 7), (6, 1, 9), (8, 1, 8), (8, 2, 8), (3, 0, 12)])
def test_a_killed_and_resumed_run_leaves_the_same_ones(
    whole: Path, tmp_path: Path, saved: int, epochs: int, killed: int
) -> None:
    """Killed in a line, after an earlier step's state; an epoch may be told after its state is saved."""
    log(["csv"], tmp_path, events(until=killed))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "step", "epoch": 3, "st')
    untold = [event for event in events(0, saved) if isinstance(event, Epoch) and event.epoch > epochs]
    log(["csv"], tmp_path, [*untold, *events(saved, second=7.0)], Reached(saved, epochs))
    assert without_times(tmp_path) == without_times(whole)


def test_a_run_that_begins_anew_leaves_nothing_of_the_one_before(whole: Path, tmp_path: Path) -> None:
    log(["csv"], tmp_path, events(until=7, second=7.0))
    log(["csv"], tmp_path, events())
    assert without_times(tmp_path) == without_times(whole)


def test_of_a_long_run_as_many_steps_are_logged_as_a_curve_can_show() -> None:
    def logged(steps: int) -> list[int]:
        return [n for n in range(1, steps + 1) if is_logged(Step(1, n, steps, 0.1, 1.0, None, 1, 1.0))]

    assert logged(10_000) == [*range(1, 10_001)]
    assert logged(35_000) == [*range(1, 35_001, 4)]


def test_a_loss_that_is_no_number_is_valid_json(tmp_path: Path) -> None:
    log([], tmp_path, [Step(1, 1, 1, 0.1, float("nan"), None, 8, 1.0)])
    line = json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=lambda word: pytest.fail(word))
    assert line["loss"] is None


def test_unknown_and_missing_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="there is no log 'tensorbord'; did you mean 'tensorboard'"):
        check_logs(["csv", "tensorbord"])
    monkeypatch.setattr(logs, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"--log wandb needs wandb, .* pip install wandb, or .*\[wandb\]"):
        check_logs(["wandb"])


def test_a_log_that_can_t_be_written(tmp_path: Path) -> None:
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(
        TrainingError, match=r"log.csv: the log can't be written \(.*\); mend that, then go on by --res"
    ):
        open_logs(["csv"], tmp_path)


def test_tensorboard_reads_what_was_logged_and_hides_what_was_undone(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for reached, until in ((BEGIN, 7), (Reached(6, 1), STEPS * EPOCHS)):
        log(["tensorboard"], tmp_path, events(reached.step, until), reached)
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [each.step for each in read.Scalars("train/loss")] == [*range(1, 13)]
    assert [(each.step, each.value) for each in read.Scalars("test/top1")] == [(8, 62.0), (12, 63.0)]


def test_weights_and_biases_goes_on_with_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    names = set()
    for reached, until in ((BEGIN, 4), (Reached(4, 1), 8)):
        log(["wandb"], tmp_path, events(reached.step, until), reached)
        names.add((tmp_path / "wandb.id").read_text())
    assert len(names) == 1
    assert len([*tmp_path.glob(f"wandb/offline-run-*-{names.pop()}/*.wandb")]) >= 1
