"""Times whole evaluations, from the start of the process to the printed result, in interleaved rounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from densezoo.backends.base import AUTO, BACKENDS
from densezoo.benchmarks.children import child_environment
from densezoo.benchmarks.inference import ITS_OWN, Say, Settings, is_held
from densezoo.benchmarks.photographs import image_id, repeat_images, some_images
from densezoo.benchmarks.processes import run_process
from densezoo.benchmarks.programs import OWN, PROGRAMS
from densezoo.benchmarks.subject import Subject
from densezoo.data.imagenet import wnids
from densezoo.errors import BenchmarkError
from densezoo.evaluation.predictions import read_predictions
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.types import Contestant

CHECKED = 230  # images, at most, of the run before the first round, whose first classes are compared
Command = Callable[[Path, Path | None], Sequence[str]]


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


@dataclass
class Evaluated:
    """A contestant while it is measured.

    Args:
        name, precision, held, note: as of `Contestant`.
        command: (folder of images, file for predictions or None) -> the command.
        environment: {variable: value} beside the others'.
        first_run: whether it is run once before it is timed, so that what it keeps between runs is there.
    """

    name: str
    precision: str
    held: bool
    command: Command
    environment: Mapping[str, str] = field(default_factory=dict)
    first_run: bool = True
    note: str | None = None
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    correct: tuple[int, int] | None = None
    failed: str | None = None

    def result(self, instruction_set: str, expected: Mapping[str, int]) -> Contestant:
        """What was measured.

        Args:
            instruction_set: that the contestants were held to.
            expected: {image: first class} of the first contestant.
        """
        common = self.classes.keys() & expected.keys()
        agreement = sum(self.classes[key] == expected[key] for key in common) / len(common) if common else None
        return Contestant(
            name=self.name,
            precision=self.precision,
            instruction_set=instruction_set if self.held else ITS_OWN,
            rates={},
            seconds=() if self.failed else tuple(self.seconds),
            peak_memory=None if self.failed else self.memory,
            agreement=agreement,
            correct=self.correct,
            not_measured=self.failed,
            note=self.note,
        )


def evaluated(subject: Subject, settings: Settings, sets: Evaluations, folder: Path) -> list[Evaluated]:
    """Every program that is to evaluate.

    Args:
        subject: the network.
        settings: who is timed.
        sets: what is evaluated.
        folder: for the files that programs need.

    Raises:
        BenchmarkError: a name in ``against`` is no program with an evaluation of its own.
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
        if asked != "timm":
            raise BenchmarkError(
                f"--against {asked}: only timm's evaluation is known; others are timed as densezoo's backends or by "
                "--what inference"
            )
        rows += _timm(subject, settings, folder)
    return rows


def _files(images: Path, folder: Path, predictions: Path | None) -> list[str]:
    """The options of densezoo's test that say what is read, and what is written where."""
    kept = ["--predictions", str(predictions)] if predictions else []
    return ["--data-root", str(images), "--out", str(folder / "results"), *kept]


def _timm(subject: Subject, settings: Settings, folder: Path) -> list[Evaluated]:
    """timm's evaluation at its defaults, and at the flags that are the fastest of those that change no logit."""
    protocol = get_protocol(subject.protocol)
    class_map = folder / "classes.txt"
    class_map.write_text("\n".join(wnids()) + "\n", encoding="utf-8")
    note = "the steps of timm's validate.py by timm's own functions, because the wheel doesn't have the script"

    def command(flags: Sequence[str], images: Path, predictions: Path | None) -> list[str]:
        return [
            sys.executable, "-m", "densezoo.benchmarks.timm_validation", str(images), "--model", subject.name,
            "--checkpoint", str(subject.weights), "--class-map", str(class_map), "--img-size", str(subject.image_size),
            "--crop-pct", str(protocol.crop_pct or 1.0), "--interpolation", str(protocol.interpolation or "bilinear"),
            "--device", settings.device, *flags, *(["--predictions", str(predictions)] if predictions else []),
        ]  # fmt: skip

    def row(name: str, flags: Sequence[str], precision: str = "float32") -> Evaluated:
        return Evaluated(name, precision, True, partial(command, flags), first_run=False, note=note)

    rows = [row("timm", []), row("timm channels-last", ["--channels-last"])]
    rows.append(row("timm channels-last -b 16 -j 2", ["--channels-last", "-b", "16", "-j", "2"]))
    for precision in settings.precisions:
        if precision != "float32" and precision in PROGRAMS["timm"].precisions:
            rows.append(row("timm channels-last", ["--channels-last", "--amp-dtype", precision], precision))
    return rows


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
    predictions = folder / ("predictions.parquet" if each.first_run else "predictions.json") if keep else None
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
        each.classes = _first_classes(predictions)


def _first_classes(path: Path) -> dict[str, int]:
    """{image: its first class} of a file of predictions."""
    if path.suffix == ".json":
        return {image_id(name): first for name, first in json.loads(path.read_text(encoding="utf-8")).items()}
    classes: dict[str, int] = {}
    for ids, records in read_predictions(path).parts():
        classes.update(zip(map(image_id, ids), records["classes"][:, 0].tolist()))
    return classes
