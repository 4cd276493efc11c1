"""Times whole evaluations, from the start of the process to the printed result, in interleaved rounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from densezoo.backends.base import AUTO, BACKENDS
from densezoo.benchmarks.children import child_environment
from densezoo.benchmarks.evaluators import EVALUATORS, Evaluated, first_classes, no_evaluation
from densezoo.benchmarks.inference import Say, Settings, is_held
from densezoo.benchmarks.photographs import repeat_images, some_images
from densezoo.benchmarks.processes import run_process
from densezoo.benchmarks.programs import OWN
from densezoo.benchmarks.subject import Subject
from densezoo.errors import BenchmarkError
from densezoo.paths import ROOT
from densezoo.types import Contestant

CHECKED = 230  # images, at most, of the run before the first round, whose first classes are compared


@dataclass(frozen=True)
class Evaluations:
    """What is evaluated.

    Args:
        data_root: folder or uncompressed tar of class folders.
        images: how many are evaluated; those of data_root are repeated under other names.
        weights: the file that densezoo reads.
        clones: folders of other commits of densezoo, such as git worktrees, whose tools/test.py is timed too.
        timeout: seconds that one process may take.
    """

    data_root: Path
    images: int
    weights: Path
    clones: Sequence[Path] = ()
    timeout: float = 3600.0


def evaluated(subject: Subject, settings: Settings, sets: Evaluations, folder: Path) -> list[Evaluated]:
    """Every program that is to evaluate.

    Args:
        subject: the network.
        settings: who is timed.
        sets: what is evaluated.
        folder: for the files that programs need.
    """
    experiment = subject.experiment
    common = ["--dataset", experiment.dataset, "--protocol", subject.protocol, "--device", settings.device]

    def own(backend: str, precision: str, images: Path, predictions: Path | None) -> list[str]:
        command = [sys.executable, "-m", "densezoo.commands", "test", str(ROOT / experiment.path), str(sets.weights)]
        chosen = ["--backend", backend, "--precision", precision]
        return [*command, *common, *chosen, *_files(images, folder, predictions)]

    def other(clone: Path, images: Path, predictions: Path | None) -> list[str]:
        command = [sys.executable, str(clone / "tools/test.py"), str(clone / experiment.path), str(sets.weights)]
        return [*command, *common, *_files(images, folder, predictions)]

    rows = [
        Evaluated(OWN + name, precision, is_held(name), partial(own, name, precision))
        for name in settings.backends
        for precision in settings.precisions
        if precision in (("float32",) if name == AUTO else BACKENDS[name].precisions)
    ]
    for clone in (path.resolve() for path in sets.clones):
        path = {"PYTHONPATH": str(clone)}
        rows.append(Evaluated(f"densezoo of {clone.name}", "float32", True, partial(other, clone), path))
    for asked in settings.against:
        others = EVALUATORS.get(asked, partial(no_evaluation, asked))
        rows += others(subject, settings, folder)
    return rows


def _files(images: Path, folder: Path, predictions: Path | None) -> list[str]:
    """The options of densezoo's test that say what is read, and what is written where."""
    kept = ["--predictions", str(predictions)] if predictions else []
    return ["--data-root", str(images), "--out", str(folder / "results"), *kept]


def measure_evaluations(
    subject: Subject, settings: Settings, sets: Evaluations, folder: Path, say: Say
) -> list[Contestant]:
    """What each contestant took for the whole evaluation.

    Args:
        subject: the network.
        settings: who is timed, and how.
        sets: what is evaluated.
        folder: for images and results.
        say: is told what was measured, a line each.

    Raises:
        BenchmarkError: there are no images.
    """
    images = repeat_images(sets.data_root, sets.images, folder / "all")
    few = some_images(images, CHECKED, folder / "few")
    rows = evaluated(subject, settings, sets, folder)
    for each in rows:
        if each.first_run:
            _attempt(each, partial(_run, each, few, True, settings, sets, folder), say)
            each.seconds, each.correct = [], None
    for number in range(settings.rounds):
        for each in rows:
            keep = not each.first_run and number == 0
            _attempt(each, partial(_run, each, images, keep, settings, sets, folder), say)
    expected = next((each.classes for each in rows if each.classes), {})
    return [each.result(settings.instruction_set or "the best", expected) for each in rows]


def _attempt(each: Evaluated, act: Callable[[], None], say: Say) -> None:
    """Act for a contestant; one that fails is measured no further."""
    if each.failed is None:
        try:
            act()
        except BenchmarkError as error:
            each.failed = str(error)
            say(f"{each.name} {each.precision}: not measured: {error}")
        else:
            say(f"{each.name} {each.precision}: {each.seconds[-1]:.1f} s")


def _run(each: Evaluated, images: Path, keep: bool, settings: Settings, sets: Evaluations, folder: Path) -> None:
    """Run a contestant once; with ``keep``, keep its predictions."""
    predictions = folder / f"predictions{each.kind}" if keep else None
    environment = {**child_environment(), **settings.environment, **each.environment}
    results = folder / "results"
    for old in results.glob("*/*@*.json"):
        old.unlink()  # a stored result of the same name would be compared with the new one
    finished = run_process(each.command(images, predictions), environment, folder, sets.timeout)
    each.seconds.append(finished.seconds)
    each.memory = max(each.memory, finished.peak_memory)
    for stored in results.glob("*/*@*.json"):
        values = json.loads(stored.read_text(encoding="utf-8"))
        each.correct = (values["correct1"], values["correct5"])
    if predictions is not None:
        each.classes = first_classes(predictions)
