"""Measures many models: a plan of tasks, each done by itself, on this machine or on those of a Ray cluster.

A task is one model on one dataset under one protocol. Tasks that share dataset and protocol follow each other and share
decoded pixels (`densezoo.data.cache`), so the images are read once. A task that fails has an outcome, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from densezoo.api.evaluation import evaluate_checkpoint
from densezoo.api.names import check_names
from densezoo.api.weights import fetch_weights
from densezoo.backends.device import choose_device
from densezoo.config import load_config
from densezoo.data.datasets import find_subsets, open_dataset, same_classes
from densezoo.errors import ConfigError, DensezooError, MissingDependencyError
from densezoo.evaluation.calibration import identify as identify_calibration
from densezoo.evaluation.hashing import hashed
from densezoo.formats.identity import file_sha256
from densezoo.index.known import identify
from densezoo.index.load import get_spec, load_index
from densezoo.index.search import matching
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol, same_kind
from densezoo.results.store import failure_path, read_results, record_failure, write_result
from densezoo.types import Calibration, Conditions, EvalResult, ModelSpec

OWN = "own"  # stands for each model's own protocol

#: (model, sha256 of its weights, fingerprint of the images, conditions, calibration) of a measurement.
Identity = tuple[str, str, str, Conditions, Calibration | None]


@dataclass(frozen=True)
class Task:
    """One measurement: a model on a dataset, or on one subset of it, under a protocol.

    Args:
        dataset, protocol, model: their names.
        subset: of the dataset; None: the dataset is one set.
    """

    dataset: str
    protocol: str
    model: str
    subset: str | None = None

    @property
    def images(self) -> tuple[str, str | None]:
        """(dataset, subset)."""
        return self.dataset, self.subset

    def conditions(self, settings: Settings) -> Conditions:
        """The conditions of its result.

        Args:
            settings: of the sweep.
        """
        return Conditions(self.dataset, self.protocol, self.subset, settings.tta, settings.backend, settings.precision)

    def __str__(self) -> str:
        return f"{self.model} on {'/'.join(filter(None, self.images))}, protocol {self.protocol}"


@dataclass(frozen=True)
class Settings:
    """How every task is done; the paths are the same on every machine.

    Args:
        data_roots: {dataset: folder, tar or shards}.
        out: folder of results.
        weights: folder of files named ``<model>.<ending>``; missing ones are fetched; None: all are.
        cache: folder of decoded pixels; None: images are decoded for each model.
        batch_size: images a step.
        workers: threads or processes that decode; 0: the main thread does all; None: as many as suit the backend.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        tta: a test-time augmentation; None: one view of each image.
        backend, precision: what computes the logits (`densezoo.backends.base.BACKENDS`), and in which numbers.
        limit: measure a sample of that many images; then no outcome is stored, nor left out because it was measured
            before. None: all.
        calibrations: {dataset: root of its training images}, which precision int8 needs.
    """

    data_roots: Mapping[str, Path]
    out: Path
    weights: Path | None = None
    cache: Path | None = None
    batch_size: int = 64
    workers: int | None = None
    device: str | None = None
    tta: str | None = None
    backend: str = "auto"
    precision: str = "float32"
    limit: int | None = None
    calibrations: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    Args:
        task: the task.
        result: None: it failed, or its result was stored already.
        error: the message, if it failed.
    """

    task: Task
    result: EvalResult | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.task}: FAILED: {self.error}"
        if self.result is None:
            return f"{self.task}: already measured"
        of = f" of {self.result.images(self.result.num_samples)}" if self.result.sampled_from else ""
        return f"{self.task}: top-1 {self.result.top1:.3f} %{of}"


def plan(
    pattern: str, datasets: Sequence[str], protocols: Sequence[str], data_roots: Mapping[str, Path] | None = None
) -> list[Task]:
    """The tasks for all models that match and have weights, if network, images and protocol fit.

    Models whose files can't be read, or that can't be evaluated, as the index says, are left out.

    Tasks with the same pixels follow each other.

    Args:
        pattern: of models' names, such as "densenet*.tv_in1k".
        datasets: their names.
        protocols: names, or "own" for each model's own.
        data_roots: {dataset: folder, tar or shards}; None: none. A dataset of several subsets (ImageNet-C) has a task
            for each in its folder.

    Raises:
        UnknownNameError: no such dataset or protocol.
        DatasetError: a dataset of several subsets can't be opened.
        ConfigError: nothing fits.
    """
    chosen, _ = matching(pattern, load_index().values())
    specs = [spec for spec in chosen if spec.readable_weights and spec.not_evaluable is None]
    named = [name if name == OWN else get_protocol(name).name for name in protocols]
    tasks = {
        Task(dataset, spec.protocol if name == OWN else name, spec.name, subset)
        for dataset in datasets
        for subset in find_subsets(dataset, (data_roots or {}).get(dataset))
        for spec in specs
        for name in named
        if _fits(spec, dataset, name)
    }
    if not tasks:
        raise ConfigError(
            f"no model with weights matches {pattern!r} and fits {', '.join(datasets)} under {', '.join(protocols)}; "
            "densezoo list_models lists them with their number of classes"
        )
    return sorted(tasks, key=lambda task: (task.dataset, task.subset or "", task.protocol, task.model))


def _fits(spec: ModelSpec, dataset: str, protocol: str) -> bool:
    alike = protocol == OWN or get_protocol(protocol) in same_kind(get_protocol(spec.protocol))
    return alike and same_classes(load_config(ROOT / spec.config).dataset, dataset)


def sweep(tasks: Sequence[Task], settings: Settings, ray: str | None = None) -> Iterator[Outcome]:
    """Do the tasks; store (but not with a limit) and yield each outcome as soon as it is known.

    A failure is stored as a text file beside the path of its result, and removed when the task succeeds.

    Args:
        tasks: of `plan`.
        settings: of all tasks.
        ray: address of a Ray cluster; None: this process does the tasks one after the other.

    Raises:
        DatasetError: a dataset can't be opened; before any task is begun.
        UnknownNameError: no such test-time augmentation.
        MissingDependencyError: Ray is not installed.
        ConfigError: no such device; no Ray cluster there.
        ResultError: an outcome can't be stored.
    """
    device = settings.device if ray is None else None  # Ray's machines have their own
    check_names(tta=settings.tta, device=device, backend=settings.backend, precision=settings.precision)
    if ray is None:
        choose_device(settings.device)
    fingerprints = {
        (name, subset): _fingerprint(name, subset, settings)
        for name, subset in dict.fromkeys(task.images for task in tasks)
        if settings.limit is None
    }
    stored = read_results(settings.out) if settings.limit is None else []
    calibrations = {
        name: identify_calibration(open_dataset(name, settings.calibrations[name], "train"), name)
        for name in dict.fromkeys(task.dataset for task in tasks)
        if name in settings.calibrations
    }
    measured = frozenset(
        (r.model, r.weights_sha256, r.dataset_fingerprint, r.conditions, r.calibration) for r in stored
    )

    def work(task: Task) -> Outcome:
        fingerprint = fingerprints.get(task.images, "")
        return attempt(task, settings, fingerprint, measured, calibrations.get(task.dataset))

    for outcome in map(work, tasks) if ray is None else _on_ray(ray, work, tasks):
        if settings.limit is None:
            _store(outcome, settings)
        yield outcome


def _store(outcome: Outcome, settings: Settings) -> None:
    task = outcome.task
    failure = failure_path(settings.out, task.model, task.conditions(settings))
    if outcome.error is not None:
        record_failure(failure, outcome.error)
    else:
        failure.unlink(missing_ok=True)
    if outcome.result is not None:
        write_result(settings.out, outcome.result)


def _fingerprint(dataset: str, subset: str | None, settings: Settings) -> str:
    return hashed(
        open_dataset(dataset, settings.data_roots.get(dataset), subset=subset), show_progress=True
    ).fingerprint()


def attempt(
    task: Task,
    settings: Settings,
    fingerprint: str,
    measured: frozenset[Identity],
    calibration: Calibration | None = None,
) -> Outcome:
    """Do one task, unless it was measured before; an error becomes its outcome.

    Args:
        task: the task.
        settings: of the sweep.
        fingerprint: of the task's images.
        measured: the identities of the stored results.
        calibration: the training images that its backend is calibrated on; None: none are given.
    """
    try:
        spec = get_spec(task.model)
        weights = find_weights(spec, settings.weights)
        if (spec.name, file_sha256(weights), fingerprint, task.conditions(settings), calibration) in measured:
            return Outcome(task)
        result = evaluate_checkpoint(
            ROOT / spec.config,
            weights,
            protocol=task.protocol,
            data_root=settings.data_roots.get(task.dataset),
            batch_size=settings.batch_size,
            workers=settings.workers,
            device=settings.device,
            launcher="none",
            model=spec.name,
            subset=task.subset,
            overrides={"dataset": task.dataset},
            tta=settings.tta,
            backend=settings.backend,
            precision=settings.precision,
            limit=settings.limit,
            cache=settings.cache,
            calibration=settings.calibrations.get(task.dataset),
        )
    except DensezooError as error:
        return Outcome(task, error=str(error))
    except Exception as error:  # an error of one model, such as out of memory, must not end the others
        return Outcome(task, error=f"{type(error).__name__}: {error}")
    return Outcome(task, result)


def find_weights(spec: ModelSpec, folder: Path | None) -> Path:
    """The file of a model's weights: the one that ships with densezoo, the one in ``folder``, or a fetched one.

    If no hash tells whose weights a file in ``folder`` holds, its name does.

    Args:
        spec: the model.
        folder: of files named ``<model>.<ending>``; None: none.

    Raises:
        CheckpointError: the file in ``folder`` is not what was published, or another model's.
        DensezooError: it can't be fetched.
    """
    for source in spec.weights:
        if source.path is not None:
            return ROOT / source.path
    for path in sorted(folder.glob(f"{spec.name}.*")) if folder else []:
        identify(path, file_sha256(path), spec.name)
        return path
    return fetch_weights(spec.name)


def _on_ray(address: str, work: Callable[[Task], Outcome], tasks: Iterable[Task]) -> Iterator[Outcome]:
    """The outcomes in the order in which tasks end; if a worker dies, its task has failed."""
    try:
        import ray
    except ImportError:
        raise MissingDependencyError("--ray", "Ray", "ray") from None
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"--ray {address}: no Ray cluster answers there ({error}); start one by 'ray start'"
        ) from None
    gpus = min(1, int(ray.cluster_resources().get("GPU", 0)))
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(work)
    pending = {remote.remote(task): task for task in tasks}
    while pending:
        (ready,), _ = ray.wait(list(pending), num_returns=1)
        task = pending.pop(ready)
        try:
            yield ray.get(ready)
        except ray.exceptions.RayError as error:
            yield Outcome(task, error=f"{type(error).__name__}: {error}")
