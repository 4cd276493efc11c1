"""Measures the times of several programs in interleaved runs, and stores them."""

from __future__ import annotations

import functools
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from densezoo.api.first_steps import DEFAULT, measure_first_steps
from densezoo.benchmarks.evaluation import Evaluations, measure_evaluations
from densezoo.benchmarks.inference import Say, Settings, measure_ceilings, measure_inference
from densezoo.benchmarks.loading import interleaved_medians, load_with_torchfile
from densezoo.benchmarks.memory import measure_memory
from densezoo.benchmarks.programs import PROGRAMS
from densezoo.benchmarks.subject import Subject, make_subject
from densezoo.benchmarks.training import measure_training
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import BenchmarkError
from densezoo.files import write_atomically
from densezoo.paths import RESULTS, ROOT
from densezoo.results import provenance
from densezoo.results.benchmarks import FOLDER, write_benchmark
from densezoo.results.machine import LoadMeter, describe_machine
from densezoo.types.benchmark import Benchmark, Contestant, What


class LoadingTime(TypedDict):
    """The time to load one file as a model.

    Args:
        file: its name.
        mib: its size.
        seconds: median.
        torchfile_seconds: median of PyPI's torchfile; None if it isn't installed or can't read the file.
        ratio: torchfile_seconds / seconds.
    """

    file: str
    mib: float
    seconds: float
    torchfile_seconds: float | None
    ratio: float | None


def benchmark_formats(
    files: Sequence[str | Path], *, rounds: int = 5, folder: str | Path = RESULTS / FOLDER
) -> tuple[Path, list[LoadingTime]]:
    """Measure how long checkpoint files take to load as models, beside PyPI's torchfile if it is installed.

    Args:
        files: the checkpoint files.
        rounds: interleaved runs of every reader and file.
        folder: of the stored result, formats.json.

    Returns:
        The path of the stored result, and a row for each file.

    Raises:
        FormatError, CheckpointError: a file can't be loaded.
    """
    rows: list[LoadingTime] = []
    for path in map(Path, files):
        runs: dict[str, Callable[[], object]] = {"densezoo": functools.partial(load_checkpoint, path)}
        if load_with_torchfile(path) is not None:
            runs["torchfile"] = functools.partial(load_with_torchfile, path)
        medians = interleaved_medians(runs, rounds)
        theirs = medians.get("torchfile")
        ratio = theirs / medians["densezoo"] if theirs else None
        mib = path.stat().st_size / 2**20
        rows.append(
            {"file": path.name, "mib": mib, "seconds": medians["densezoo"], "torchfile_seconds": theirs, "ratio": ratio}
        )
    facts = {"rounds": rounds, "versions": provenance.versions(), "date": provenance.now()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    stored = Path(folder) / "formats.json"
    write_atomically(stored, json.dumps({"files": rows, **facts, "commit": provenance.commit(ROOT)}, indent=2) + "\n")
    return stored, rows


def benchmark_inference(
    model: str,
    settings: Settings,
    *,
    protocol: str | None = None,
    image_size: int | None = None,
    weights: Path | None = None,
    folder: Path = RESULTS / FOLDER,
    say: Say = print,
) -> tuple[Path, Benchmark]:
    """Time a network alone, by densezoo's backends and by other packages, in interleaved rounds.

    Args:
        model: a name of the index, or the path of a config.
        settings: who is timed, and how.
        protocol: a name; None: the model's own.
        image_size: side in pixels; None: the protocol's.
        weights: a checkpoint file of any format; None: they are drawn.
        folder: of the stored benchmark.
        say: is told what was done, a line each.

    Returns:
        The path of the stored benchmark, and the benchmark.

    Raises:
        DensezooError: no such model, program or instruction set; the weights can't be read or don't fit.
    """
    run = _Run(settings)
    with tempfile.TemporaryDirectory(prefix="densezoo-benchmark-") as temporary:
        subject = make_subject(model, Path(temporary), protocol, image_size, weights)
        contestants, ceilings = measure_inference(subject, settings, say)
    return run.stored("inference", subject, contestants, ceilings, folder)


def benchmark_evaluation(
    model: str,
    settings: Settings,
    data_root: Path,
    *,
    images: int = 1000,
    clones: Sequence[Path] = (),
    protocol: str | None = None,
    weights: Path | None = None,
    folder: Path = RESULTS / FOLDER,
    say: Say = print,
) -> tuple[Path, Benchmark]:
    """Time whole evaluations, from the start of each process to its printed result, in interleaved rounds.

    Args:
        model: a name of the index, or the path of a config.
        settings: who is timed, and how.
        data_root: folder or uncompressed tar of class folders.
        images: how many are evaluated; those of data_root are repeated under other names.
        clones: folders of other commits of densezoo, such as git worktrees, whose tools/test.py is timed too.
        protocol: a name; None: the model's own.
        weights: a checkpoint file of any format; None: they are drawn.
        folder: of the stored benchmark.
        say: is told what was done, a line each.

    Returns:
        The path of the stored benchmark, and the benchmark.

    Raises:
        DensezooError: no such model, program or instruction set; no images; weights that can't be read or don't fit.
    """
    run = _Run(settings)
    with tempfile.TemporaryDirectory(prefix="densezoo-benchmark-") as temporary:
        subject = make_subject(model, Path(temporary), protocol, None, weights)
        read = subject.weights if weights is None else weights.resolve()
        sets = Evaluations(data_root.resolve(), images, read, clones)
        contestants = measure_evaluations(subject, settings, sets, Path(temporary), say)
        ceilings = measure_ceilings(settings)
    return run.stored("evaluation", subject, contestants, ceilings, folder, images)


def benchmark_training(
    model: str,
    settings: Settings,
    *,
    protocol: str | None = None,
    image_size: int | None = None,
    weights: Path | None = None,
    folder: Path = RESULTS / FOLDER,
    say: Say = print,
) -> tuple[Path, Benchmark]:
    """Time training steps of densezoo's network and of other packages', in interleaved rounds.

    Args:
        model: a name of the index, or the path of a config.
        settings: who is timed, and how.
        protocol: a name; None: the model's own.
        image_size: side in pixels; None: the protocol's.
        weights: a checkpoint file of any format; None: they are drawn.
        folder: of the stored benchmark.
        say: is told what was done, a line each.

    Returns:
        The path of the stored benchmark, and the benchmark.

    Raises:
        DensezooError: no such model, program or instruction set; the weights can't be read or don't fit.
    """
    run = _Run(settings)
    with tempfile.TemporaryDirectory(prefix="densezoo-benchmark-") as temporary:
        subject = make_subject(model, Path(temporary), protocol, image_size, weights)
        contestants = measure_training(subject, settings, say)
    return run.stored("training", subject, contestants, measure_ceilings(settings), folder)


def benchmark_memory(
    model: str,
    settings: Settings,
    *,
    modes: Sequence[str] = (),
    layouts: Sequence[str] = ("contiguous",),
    protocol: str | None = None,
    image_size: int | None = None,
    weights: Path | None = None,
    folder: Path = RESULTS / FOLDER,
    say: Say = print,
) -> tuple[Path, Benchmark]:
    """Measure what training keeps for backward, its time and its peak memory, in interleaved rounds.

    Args:
        model: a name of the index, or the path of a config.
        settings: who is timed, and how.
        modes: memory modes of densezoo; none: all that the family has.
        layouts: of maps and weights: "contiguous", "channels-last".
        protocol: a name; None: the model's own.
        image_size: side in pixels; None: the protocol's.
        weights: a checkpoint file of any format; None: they are drawn.
        folder: of the stored benchmark.
        say: is told what was done, a line each.

    Returns:
        The path of the stored benchmark, and the benchmark.

    Raises:
        DensezooError: no such model, program, mode or layout; the weights can't be read or don't fit.
    """
    run = _Run(settings)
    with tempfile.TemporaryDirectory(prefix="densezoo-benchmark-") as temporary:
        subject = make_subject(model, Path(temporary), protocol, image_size, weights)
        contestants = measure_memory(subject, settings, modes, layouts, say)
    return run.stored("memory", subject, contestants, {}, folder)


def benchmark_steps(
    config: str | Path,
    settings: Settings,
    *,
    data_root: Path | None = None,
    steps: int = DEFAULT,
    overrides: Mapping[str, object] | None = None,
    folder: Path = RESULTS / FOLDER,
) -> tuple[Path, Benchmark]:
    """Take the first steps of a config's training, and measure each.

    Args:
        config: the config file.
        settings: device and threads; an instruction set is refused, and nothing else of it plays a part.
        data_root: folder of the images; None: noise in place of what isn't built in, one batch again and again.
        steps: how many.
        overrides: {field of the config: value}, such as {"train.batch_size": 32}; None: none.
        folder: of the stored benchmark.

    Returns:
        The path of the stored benchmark, and the benchmark.

    Raises:
        BenchmarkError: the steps can't be taken; an instruction set is asked for, or another network.
        DensezooError: the config trains nothing, or names what there is not.
    """
    run = _Run(settings)
    contestant, side = measure_first_steps(config, settings, data_root, steps, overrides)
    with tempfile.TemporaryDirectory(prefix="densezoo-benchmark-") as temporary:
        subject = make_subject(str(config), Path(temporary), None, side, None)
    return run.stored("steps", subject, [contestant], {}, folder)


class _Run:
    """One run of a benchmark: what is known when it begins, and what is stored when it ends.

    Args:
        settings: of the run.

    Raises:
        BenchmarkError: the machine hasn't the instruction set that was asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.meter = settings, LoadMeter()
        self.commit, self.date = provenance.commit(ROOT), provenance.now()
        self.machine = describe_machine(_gpu(settings.device))
        has, asked = self.machine.instruction_sets, settings.instruction_set
        if asked is not None and (asked not in has or self.machine.gpu):
            raise BenchmarkError(
                f"--instruction-set {asked}: this machine's CPU has {', '.join(has) or 'none that is known'}"
                + (", and --device is a GPU" if self.machine.gpu else "")
            )

    def stored(
        self,
        what: What,
        subject: Subject,
        contestants: Iterable[Contestant],
        ceilings: dict[str, tuple[float, ...]],
        folder: Path,
        images: int | None = None,
    ) -> tuple[Path, Benchmark]:
        """Store what was measured; return the file and the benchmark."""
        best = self.settings.instruction_set or ([*self.machine.instruction_sets] or ["unknown"])[-1]
        rows = tuple(contestants)
        if not any(row.rates or row.seconds for row in rows):
            raise BenchmarkError(f"nothing was measured: {'; '.join(f'{r.name}: {r.not_measured}' for r in rows)}")
        benchmark = Benchmark(
            what=what,
            model=subject.name,
            instruction_set=re.sub(r"\W+", "-", self.machine.gpu.lower()) if self.machine.gpu else best,
            device=self.settings.device,
            threads=self.settings.threads,
            image_size=subject.image_size,
            multiply_adds=subject.multiply_adds,
            products=subject.products,
            images=images,
            ceilings=ceilings,
            contestants=rows,
            machine=self.machine,
            load=self.meter.load(),
            versions={**provenance.versions(), **_versions(rows)},
            commit=self.commit,
            date=self.date,
            command=_command(sys.argv[1:]),
        )
        return write_benchmark(folder, benchmark), benchmark


def _command(arguments: Sequence[str]) -> str:
    """The command of this process as one types it, whether it was started by ``densezoo`` or by a file of tools/."""
    own = arguments[1:] if arguments[:1] == ["benchmark"] else arguments
    return shlex.join(["densezoo", "benchmark", *own])


def _versions(rows: Iterable[Contestant]) -> dict[str, str]:
    """{package: version} of the packages that were timed."""
    packages = {PROGRAMS[row.name].package for row in rows if row.name in PROGRAMS and row.not_measured is None}
    packages |= {name for row in rows for name in ("openvino", "onnxruntime") if row.name.endswith(f" {name}")}
    versions = {}
    for name in sorted(packages):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _gpu(device: str) -> str | None:
    """The model of the GPU that a device is; None: it is none."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.get_device_name(device)
