"""Whole trainings: ended at any moment and gone on with, they give the bits of the undisturbed one."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import forked
import pytest
import torch
from ranks import in_processes
from small_training import NAME, SMALL, STEPS, of_few_images, train
from torch import distributed, nn

from densezoo.data.datasets import open_dataset
from densezoo.data.images import Content, ImagesOfAnotherSet
from densezoo.errors import ConfigError, DatasetError, ImageError, TrainingError
from densezoo.evaluation.distributed import Lost
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.memory import SharedFeatures, set_memory
from densezoo.formats.identity import file_sha256
from densezoo.training.events import Step
from densezoo.training.logs import JsonLines, read_records
from densezoo.training.loop import Loop
from densezoo.training.run import Run, _measured, make_learner
from densezoo.training.sampling import process_seed
from densezoo.training.state import state_files
from densezoo.types import Recipe

#: All that has a state: dropout, mixup, an average, accumulated gradients, an optimiser with two moments.
ALL = {
    **SMALL,
    "train.accumulate": 2,
    "train.mixup": 0.5,
    "train.cutmix": 1.0,
    "train.ema": 0.9,
    "train.optimiser": "adamw",
    "train.lr": 0.01,
    "train.warmup_epochs": 0.5,
    "train.clip_grad": 1.0,
    "train.repeats": 2,
    "train.channels_last": True,
    "train.save_every": 3,
}


class Killed(BaseException):
    """Ends a training as a kill does: nothing is saved."""


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    of_few_images(monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sha256 of the weights of a run that nothing disturbs, with all that has a state."""
    with pytest.MonkeyPatch.context() as patch:
        of_few_images(patch)
        return file_sha256(train(tmp_path_factory.mktemp("undisturbed"), ALL))


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Has something happen once, when a run has taken a step."""
    on_step = JsonLines.on_step

    def set_up(number: int, happens: Callable[[], None]) -> None:
        def told(self: JsonLines, step: Step) -> None:
            on_step(self, step)
            if step.step == number:
                monkeypatch.setattr(JsonLines, "on_step", on_step)
                happens()

        monkeypatch.setattr(JsonLines, "on_step", told)

    return set_up


def kill() -> None:
    raise Killed


def test_killed_in_the_middle_of_an_epoch(
    undisturbed: str, at_step: Callable[[int, Callable[[], None]], None], tmp_path: Path
) -> None:
    for number, workers in ((2, 2), (5, 0), (9, 2)):
        at_step(number, kill)
        with pytest.raises(Killed):
            train(tmp_path, ALL, resume=True, workers=workers)
    assert list(state_files(tmp_path)) == [6, 8]
    assert file_sha256(train(tmp_path, ALL, resume=True, workers=2)) == undisturbed
    steps = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if '"event": "step"' in line]
    assert len(steps) == 3 * STEPS


@pytest.mark.parametrize(("number", "exact"), [(signal.SIGINT, 6), (signal.SIGTERM, 8)])
def test_a_signal_saves_and_ends(
    number: signal.Signals,
    exact: int,
    undisturbed: str,
    at_step: Callable[[int, Callable[[], None]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former = signal.signal(number, signal.default_int_handler)
    try:
        at_step(exact - 1, lambda: signal.raise_signal(number))
        with pytest.raises(
            KeyboardInterrupt, match=rf"step {exact}, after 1 whole epochs, is kept in .* --resume goes"
        ):
            train(tmp_path, ALL)
    finally:
        signal.signal(number, former)
    assert file_sha256(train(tmp_path, ALL, resume=True)) == undisturbed


def killed_at(folder: Path, before: str = "", after: str = "", line: int = 0) -> None:
    """Go on with a training in a process of its own, which SIGKILL ends at one moment of writing.

    Args:
        folder: of the run.
        before: the file that has been written under a hidden name, and hasn't taken its own yet.
        after: the file that has just taken its name.
        line: of the log, from 1, of which half is written.
    """

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        real = os.replace

        def replace(source: str, target: Path) -> None:
            if target.name == before:
                end()
            real(source, target)
            if target.name == after:
                end()

        def write(self: JsonLines, record: Mapping[str, object]) -> None:
            with self.path.open("a") as file:
                text = json.dumps(record)
                file.write(text[:20] if len(read_records(self.path)) == line - 1 else f"{text}\n")
            if text[:20] == self.path.read_text().splitlines()[-1]:
                end()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", replace)
            patch.setattr(JsonLines, "_write", write)
            train(folder, ALL, resume=True)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.forks
def test_killed_at_the_moments_of_writing(undisturbed: str, tmp_path: Path) -> None:
    """Between a file and its name, between a name and what follows, in a line; and gone on with each time."""
    killed_at(tmp_path, before="step_00000003.state")
    assert not state_files(tmp_path)
    killed_at(tmp_path, after="step_00000003.state")
    killed_at(tmp_path, after="best.safetensors")
    killed_at(tmp_path, before="step_00000004.state")  # the epoch's line is in the log
    killed_at(tmp_path, line=7)
    killed_at(tmp_path, after="step_00000006.state")  # the older ones are there yet
    assert list(state_files(tmp_path)) == [3, 4, 6]
    killed_at(tmp_path, before="step_00000012.state")
    killed_at(tmp_path, before=NAME)
    assert not (tmp_path / NAME).exists()
    killed_at(tmp_path, after=NAME)
    assert file_sha256(train(tmp_path, ALL, resume=True)) == undisturbed
    events = [record["event"] for record in read_records(tmp_path / "log.jsonl")]
    assert events == 3 * [*STEPS * ["step"], "epoch"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["best.safetensors", NAME, "log.jsonl", "step_00000009.state", "step_00000012.state"]
    )


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import pytest
from small_training import of_few_images, train
of_few_images(pytest.MonkeyPatch())
train(Path({folder!r}), {overrides!r}, workers=2, resume=True)
"""


def killed_at_random(folder: Path, overrides: Mapping[str, object], seconds: float) -> bool:
    """Train in a process of its own, and end it by SIGKILL some time after its first state; whether it was running."""
    after = max(state_files(folder), default=0) + 1
    program = PROGRAM.format(tests=str(Path(__file__).parent.parent), folder=str(folder), overrides=overrides)
    process = forked.Forked(["-c", program], env={**os.environ, "OMP_NUM_THREADS": "1"})
    while process.poll() is None and max(state_files(folder), default=0) < after:
        time.sleep(0.01)
    time.sleep(seconds)
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


def test_one_sigkill(undisturbed: str, tmp_path: Path) -> None:
    killed_at_random(tmp_path, ALL, 0.02)
    assert file_sha256(train(tmp_path, ALL, resume=True)) == undisturbed


@pytest.mark.slow
def test_ten_sigkills_at_random_moments(tmp_path: Path) -> None:
    moments, longer = random.Random(0), {**ALL, "train.epochs": 100, "train.save_every": 1, "train.evaluate_every": 3}
    assert all(killed_at_random(tmp_path / "killed", longer, moments.uniform(0.0, 0.3)) for _ in range(10))
    reached = max(state_files(tmp_path / "killed"))
    assert 10 < reached < 100 * STEPS
    expected = file_sha256(train(tmp_path / "undisturbed", longer))
    assert file_sha256(train(tmp_path / "killed", longer, resume=True)) == expected


def test_a_lost_loss_stops_the_run(tmp_path: Path) -> None:
    message = r"the loss is (nan|inf) at iteration 3; lower train.lr, .*, and begin anew by --overwrite \(step [12],"
    with pytest.raises(TrainingError, match=message):
        train(tmp_path, {**SMALL, "train.lr": 1e30, "train.warmup_epochs": 1, "train.save_every": 1})
    with pytest.raises(TrainingError, match="evaluation of epoch 1: .* output holds NaN or infinity.* lower train.lr"):
        train(tmp_path, {**SMALL, "train.lr": 1e30, "train.batch_size": 100}, overwrite=True)
    assert not (tmp_path / NAME).exists()


def test_a_process_that_is_gone_amid_an_evaluation_is_no_lost_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch over the processes names it; the run isn't to be begun anew."""

    def gone(run: Run, network: nn.Module) -> Mapping[str, float]:
        raise Lost("rank 0: the connection to the other processes broke")

    monkeypatch.setattr("densezoo.training.run._measured", gone)
    with pytest.raises(Lost, match="broke$"):
        train(tmp_path, SMALL)


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    architecture = DenseNetArchitecture(2, (1,), 2, stem="cifar", in_chans=1, num_classes=2)
    network = build_model(architecture)
    set_memory(network, "shared")  # which an evaluation takes back in its copy
    for tensor in network.state_dict().values():
        tensor.fill_(rank + 1)  # as batches of its own leave other statistics in each process
    seen: list[set[float]] = []

    def evaluate(copied: nn.Module) -> Mapping[str, float]:
        seen.append({float(value) for tensor in copied.state_dict().values() for value in tensor.flatten().tolist()})
        assert not isinstance(copied.get_submodule("features"), SharedFeatures)
        return {"top1": float(torch.rand(1))}

    nothing = cast("Any", None)
    run = Run(network, architecture, nothing, nothing, "cpu", 0, evaluate, nothing, nothing, nothing)
    random = torch.get_rng_state()
    _measured(run, network)
    assert seen == [{1.0}], "what is measured is what the main process keeps"
    assert all(bool((tensor == rank + 1).all()) for tensor in network.state_dict().values())
    assert torch.equal(random, torch.get_rng_state())
    distributed.destroy_process_group()


def test_two_processes_measure_what_the_main_one_keeps(tmp_path: Path) -> None:
    in_processes(lambda rank: _rank(rank, str(tmp_path)))


def test_a_learner_has_what_its_recipe_says() -> None:
    """Training mode whatever the network came in, the rate by steps and not by parts of them, the classes' weights."""
    architecture = DenseNetArchitecture(2, (1,), 2, stem="cifar", in_chans=1, num_classes=2)
    recipe = Recipe(epochs=4, batch_size=8, lr=0.1, accumulate=2, warmup_epochs=2, weight_decay=0.5)
    nothing, weights = cast("Any", None), torch.tensor([1.0, 3.0])
    given = nothing, recipe, "cpu", 0, nothing, nothing, nothing, nothing
    run = Run(build_model(architecture).eval(), architecture, *given, class_weights=weights)
    learner = make_learner(run, steps_per_epoch=5)
    assert all(module.training for module in learner.network.modules())
    assert learner.ingredients.rate(5) == pytest.approx(0.05)  # half of the warm-up's two epochs
    logits, labels = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    expected = nn.functional.cross_entropy(logits, labels, weights)
    assert learner.ingredients.loss(logits, labels) == expected != nn.functional.cross_entropy(logits, labels)
    assert {group["weight_decay"] for group in learner.optimiser.param_groups} == {0.5}


def test_each_process_begins_with_random_numbers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(loop: Loop) -> None:
        assert torch.initial_seed() == process_seed(loop.recipe, 0)
        raise Killed

    monkeypatch.setattr(Loop, "run", begun)
    with pytest.raises(Killed):
        train(tmp_path, {**SMALL, "train.seed": 7})


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    path = train(tmp_path, {**SMALL, "train.epochs": 50, "train.patience": 1, "train.lr": 1e-9})
    assert (tmp_path / "best.safetensors").read_bytes() == path.read_bytes()
    assert (tmp_path / "log.jsonl").read_text().count('"event": "epoch"') == 2
    train(tmp_path, {**SMALL, "train.epochs": 50, "train.patience": 1, "train.lr": 1e-9}, resume=True)


def test_evaluations_are_as_rare_as_asked(tmp_path: Path) -> None:
    train(tmp_path, {**SMALL, "train.evaluate_every": 2})
    lines = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if '"event": "epoch"' in line]
    assert ["top5" in line for line in lines] == [False, True, True]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns(precision: str, tmp_path: Path) -> None:
    overrides = {**SMALL, "train.precision": precision, "train.epochs": 2}
    first = file_sha256(train(tmp_path / "a", overrides))
    assert first != file_sha256(train(tmp_path / "b", {**overrides, "train.precision": "float32"}))


def test_images_that_can_t_be_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match=r"100 training images, fewer than one batch of 101; give a smaller"):
        train(tmp_path, {**SMALL, "train.batch_size": 101})
    with pytest.raises(ConfigError, match="accumulate"):
        train(tmp_path, {**SMALL, "train.accumulate": 5})
    with pytest.raises(DatasetError, match=r"expected training images of all 12 classes, found none of classes 10, 11"):
        train(tmp_path, {**SMALL, "model.num_classes": 12})
    with pytest.raises(DatasetError, match=r"label 7 is out of range; expected 0 to 6: this is not the data for that"):
        train(tmp_path, {**SMALL, "model.num_classes": 7})

    broken = open_dataset("digits", None, "train").ids[50]
    real = ImagesOfAnotherSet.read

    def read(self: ImagesOfAnotherSet, index: int) -> Content:
        if self.ids[index] == broken:
            raise ImageError(f"{broken}: can't be decoded")
        return real(self, index)

    monkeypatch.setattr(ImagesOfAnotherSet, "read", read)
    for workers in (0, 2):
        with pytest.raises(ImageError, match=f"{broken}: can't be decoded"):
            train(tmp_path, workers=workers, resume=True)
