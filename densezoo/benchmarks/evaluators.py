"""The evaluations of other packages, each by its own code, as commands that are timed."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from densezoo.benchmarks.inference import Settings
from densezoo.benchmarks.photographs import image_id
from densezoo.benchmarks.programs import PROGRAMS, mmpretrain_file
from densezoo.benchmarks.subject import Subject
from densezoo.data.imagenet import wnids
from densezoo.errors import DensezooError
from densezoo.evaluation.predictions import read_predictions
from densezoo.protocols import get_protocol
from densezoo.types import Contestant
from densezoo.types.benchmark import ITS_OWN

AGREEING = 0.98  # of the images; float32's rounding may turn few first classes, another crop turns many
Command = Callable[[Path, Path | None], Sequence[str]]


@dataclass
class Evaluated:
    """A contestant while it is measured.

    Args:
        name: such as "timm channels-last".
        precision: that it computes in.
        held: whether it is held to the instruction set that was asked for.
        note: what is to be known of it.
        command: (folder of images, file for predictions or None) -> the command.
        environment: {variable: value} beside the others'.
        kind: extension of its files of predictions.
        first_run: whether it is run once before it is timed, so that what it keeps between runs is there.
    """

    name: str
    precision: str
    held: bool
    command: Command
    environment: Mapping[str, str] = field(default_factory=dict)
    kind: str = ".parquet"
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
        if self.failed is None and agreement is not None and agreement < AGREEING:
            self.failed = f"computes something else: the first classes of {100 * agreement:.1f} % of the images agree"
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


def timm_evaluations(subject: Subject, settings: Settings, folder: Path) -> list[Evaluated]:
    """timm's evaluation at its defaults, and at the flags that are the fastest of those that change no logit.

    Args:
        subject: the network.
        settings: the device, and in which precisions.
        folder: for its class map.
    """
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
        return Evaluated(name, precision, True, partial(command, flags), kind=".json", first_run=False, note=note)

    rows = [row("timm", []), row("timm channels-last", ["--channels-last"])]
    rows.append(row("timm channels-last -b 16 -j 2", ["--channels-last", "-b", "16", "-j", "2"]))
    for precision in settings.precisions:
        if precision != "float32" and precision in PROGRAMS["timm"].precisions:
            rows.append(row("timm channels-last", ["--channels-last", "--amp-dtype", precision], precision))
    return rows


def mmpretrain_evaluations(subject: Subject, settings: Settings, folder: Path) -> list[Evaluated]:
    """mmpretrain's tools/test.py, which its wheel has, with its own configuration of the network.

    Args:
        subject: the network.
        settings: the device and threads.
        folder: for the configuration and the weights under mmpretrain's names.
    """
    failed, name, weights = None, "", folder
    package = find_spec("mmpretrain")
    root = Path(str(package.origin)).parent / ".mim" if package is not None else Path()
    if package is None:
        failed = "it is not installed"
    elif subject.protocol != "mmpretrain":
        failed = f"its images are cut otherwise than those of protocol {subject.protocol}: give --protocol mmpretrain"
    else:
        try:
            name, weights = mmpretrain_file(subject.task("mmpretrain", settings.device, "float32", settings.threads))
        except DensezooError as error:
            failed = str(error)

    def command(images: Path, predictions: Path | None) -> list[str]:
        files = sorted((images / "val").glob("*/*"))
        labels = {wnid: label for label, wnid in enumerate(wnids())}
        listed = folder / "mmpretrain.txt"
        lines = (f"{path.parent.name}/{path.name} {labels[path.parent.name]}" for path in files)
        listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
        dataset = {"data_root": str(images), "ann_file": str(listed)}
        config = folder / "mmpretrain.py"
        base = root / f"configs/densenet/densenet{name}_4xb256_in1k.py"
        config.write_text(f"_base_ = {str(base)!r}\ntest_dataloader = dict(dataset={dataset!r})\n", encoding="utf-8")
        kept = ["--out", str(predictions), "--out-item", "pred"] if predictions else []
        return [
            sys.executable,
            str(root / "tools/test.py"),
            str(config),
            str(weights),
            "--work-dir",
            str(folder),
            *kept,
        ]

    note = "its tools/test.py at its defaults"
    return [
        Evaluated("mmpretrain", "float32", True, command, kind=".pkl", first_run=False, note=note, failed=failed),
    ]


def no_evaluation(name: str, subject: Subject, settings: Settings, folder: Path) -> list[Evaluated]:
    """A row that says that a program has no evaluation of its own.

    Args:
        name: the program's.
        subject, settings, folder: not used.
    """
    why = "its package evaluates nothing; time it as a --backend of densezoo, or by --what inference"
    return [Evaluated(name, "float32", True, lambda images, predictions: [], failed=why)]


#: {name that ``--against`` takes: its evaluations}.
EVALUATORS: Mapping[str, Callable[[Subject, Settings, Path], list[Evaluated]]] = {
    "timm": timm_evaluations,
    "mmpretrain": mmpretrain_evaluations,
}


def first_classes(path: Path) -> dict[str, int]:
    """{image: its first class} of a file of predictions.

    Args:
        path: densezoo's parquet, timm's JSON, or mmpretrain's pickle, which its own process has just written.
    """
    if path.suffix == ".pkl":
        rows = pickle.loads(path.read_bytes())  # noqa: S301
        return {image_id(row["img_path"]): int(row["pred_label"]) for row in rows}
    if path.suffix == ".json":
        return {image_id(name): first for name, first in json.loads(path.read_text(encoding="utf-8")).items()}
    classes: dict[str, int] = {}
    for ids, records in read_predictions(path).parts():
        classes.update(zip(map(image_id, ids), records["classes"][:, 0].tolist()))
    return classes
