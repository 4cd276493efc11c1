"""Whole evaluations: the commands that are timed, and real ones of a small network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmark_runs import small_subject
from PIL import Image

from densezoo.benchmarks import evaluation
from densezoo.benchmarks.evaluation import Evaluations, evaluated, measure_evaluations
from densezoo.benchmarks.evaluators import Evaluated, timm_evaluations
from densezoo.benchmarks.inference import Settings
from densezoo.benchmarks.processes import Finished
from densezoo.benchmarks.subject import make_subject
from densezoo.errors import BenchmarkError
from densezoo.paths import ROOT


def settings(**values: object) -> Settings:
    return Settings(**{"backends": ["eager"], "rounds": 2, **values})  # type: ignore[arg-type]


def small_images(folder: Path, number: int, side: int, classes: tuple[str, ...] = ("airplane", "truck")) -> Path:
    """Class folders of noise."""
    for index in range(number):
        path = folder / "test" / classes[index % len(classes)] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((side, side), 90 + index).convert("RGB").save(path)
    return folder


def test_the_commands_are_densezoo_s_test_and_timm_s_validation(tmp_path: Path) -> None:
    subject = make_subject("configs/densenet121.py", tmp_path, "timm", 32, None)
    sets = Evaluations(tmp_path, 10, subject.weights, clones=[tmp_path / "old"])
    rows = evaluated(subject, settings(against=["timm"], precisions=["float32", "bf16"]), sets, tmp_path)
    commands = {(row.name, row.precision): list(row.command(Path("images"), None)) for row in rows}
    own = commands["densezoo eager", "float32"]
    assert own[:4] == [sys.executable, "-m", "densezoo.commands", "test"]
    assert own[own.index("--backend") + 1] == "eager"
    assert own[own.index("--protocol") + 1] == "timm"
    old = commands["densezoo of old", "float32"]
    assert old[1] == str(tmp_path / "old/tools/test.py")
    assert "--backend" not in old  # it may be older than backends
    theirs = commands["timm", "float32"]
    assert theirs[theirs.index("--crop-pct") + 1] == "0.875"
    assert theirs[theirs.index("--interpolation") + 1] == "bicubic"
    assert "--channels-last" not in theirs
    assert "--channels-last" in commands["timm channels-last", "float32"]
    assert commands["timm channels-last", "bf16"][-2:] == ["--amp-dtype", "bf16"]
    assert (tmp_path / "classes.txt").read_text().split()[0] == "n01440764"
    (*_, none) = evaluated(subject, settings(against=["openvino"]), sets, tmp_path)
    assert none.name == "openvino"
    assert str(none.failed).startswith("its package evaluates nothing")


def test_rounds_are_interleaved_after_one_run_that_is_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sizes = {"all": "7", "few": "7"}

    def run(command: list[str], environment: object, folder: Path, timeout: float) -> Finished:
        name = command[command.index("-m") + 1]
        images = Path(command[command.index("--data-root") + 1]) if "--data-root" in command else Path(command[3])
        order.append(f"{name} {images.parent.name}")
        assert len(list(images.rglob("*.png"))) == int(sizes[images.parent.name])
        if "--predictions" in command:
            stored = folder / "predictions.json"
            stored.write_text(
                json.dumps({"test/airplane/0000_0.png": 1, "test/truck/0000_1.png": 5 if "timm" in name else 1})
            )
        return Finished(float(len(order)), ("top-1",), 1000 * len(order))

    monkeypatch.setattr(evaluation, "run_process", run)
    rows = [
        Evaluated(name, "float32", True, lambda images, kept, name=name: [  # type: ignore[misc]
            "python", "-m", name, str(images), *(["--predictions", "x"] if kept else [])
        ], kind=".json", first_run="timm" not in name)
        for name in ("own", "timm")
    ]  # fmt: skip
    monkeypatch.setattr(evaluation, "evaluated", lambda *_: rows)
    monkeypatch.setattr(
        evaluation, "first_classes", lambda path: json.loads((tmp_path / "predictions.json").read_text())
    )
    images = small_images(tmp_path / "source", 3, 8)
    sets = Evaluations(images, 7, tmp_path / "weights")
    own, timm = measure_evaluations(small_subject(tmp_path), settings(), sets, tmp_path, lambda line: None)
    assert order == ["own few", "own all", "timm all", "own all", "timm all"]
    assert (own.seconds, timm.seconds) == ((2.0, 4.0), ())
    assert (own.agreement, own.not_measured) == (1.0, None)
    assert own.peak_memory == 4000
    assert timm.agreement == 0.5
    assert timm.not_measured == "computes something else: the first classes of 50.0 % of the images agree"


def test_one_that_fails_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Finished:
        raise BenchmarkError("its process ended with status 1: error: no such backend")

    monkeypatch.setattr(evaluation, "run_process", fail)
    images = small_images(tmp_path / "source", 2, 8)
    said: list[str] = []
    subject = small_subject(tmp_path)
    (own,) = measure_evaluations(subject, settings(), Evaluations(images, 2, subject.weights), tmp_path, said.append)
    assert own.not_measured == "its process ended with status 1: error: no such backend"
    assert (own.seconds, own.peak_memory) == ((), None)
    assert said == [f"densezoo eager float32: not measured: {own.not_measured}"]


@pytest.mark.slow
def test_evaluations_of_a_small_network(tmp_path: Path) -> None:
    """As processes, by densezoo of this commit twice: as itself and as another clone."""
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    images = small_images(tmp_path / "source", 10, 32, classes)
    subject = make_subject("configs/cifar/densenet_bc_40_12_cifar10plus.py", tmp_path, None, None, None)
    sets = Evaluations(images, 12, subject.weights, clones=[ROOT])
    found = measure_evaluations(subject, settings(rounds=1), sets, tmp_path, lambda line: None)
    assert [each.name for each in found] == ["densezoo eager", f"densezoo of {ROOT.name}"]
    for each in found:
        assert each.not_measured is None
        assert each.seconds[0] > 0.5
        assert each.peak_memory is not None
        assert each.peak_memory > 10**8
        assert each.agreement == 1.0
        assert each.correct is not None
        assert each.correct[0] <= each.correct[1] <= 12


@pytest.mark.slow
def test_timm_s_classes_are_densezoo_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both networks, crops and class maps: a wrong one would show in the first classes of noise.

    At the flags with small batches: the others warm up with 256 images.
    """

    def small_batches(*given: Any) -> list[Evaluated]:
        return [row for row in timm_evaluations(*given) if "-b 16" in row.name]

    monkeypatch.setitem(evaluation.EVALUATORS, "timm", small_batches)  # type: ignore[arg-type]
    images = small_images(tmp_path / "source", 4, 300, ("n01440764", "n15075141"))
    subject = make_subject("densenet121", tmp_path, "timm", None, None)
    sets = Evaluations(images, 4, subject.weights)
    found = measure_evaluations(subject, settings(rounds=1, against=["timm"]), sets, tmp_path, lambda line: None)
    assert [(each.not_measured, each.agreement) for each in found] == [(None, 1.0), (None, 1.0)]


def test_the_last_line_of_a_child_is_its_result() -> None:
    done = subprocess.run([sys.executable, "-m", "densezoo.commands", "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("densezoo ")
