"""A checkpoint measured on a dataset, under one protocol or several. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densezoo.api.arguments import EvaluationArguments
from densezoo.api.names import check_names
from densezoo.errors import ConfigError
from densezoo.evaluation.options import LoadOptions, RunOptions, StoreOptions
from densezoo.files import PREDICTIONS, written_as
from densezoo.imports import without_collection
from densezoo.index.load import load_index
from densezoo.protocols.own import Changes
from densezoo.results.agreement import compare_with_published
from densezoo.results.summary import matrix, summary
from densezoo.types import EvalResult, Experiment, LabelResult

if TYPE_CHECKING:
    from typing_extensions import Unpack


def evaluate_checkpoint(
    config: str | Path | None,
    checkpoint: str | Path,
    *,
    protocol: str | None = None,
    **options: Unpack[EvaluationArguments],
) -> EvalResult:
    """Measure top-1 and top-5 of a checkpoint on its config's dataset, under one protocol.

    Args:
        config: what is run; None: what the checkpoint file says of itself.
        checkpoint: file of weights.
        protocol: its name; None: the protocol of the index's entry for these weights, or else the config's.
        options: further arguments of `evaluate_protocols`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    (result,) = evaluate_protocols(config, checkpoint, names=None if protocol is None else [protocol], **options)
    return result


def evaluate_protocols(
    config: str | Path | None,
    checkpoint: str | Path,
    *,
    names: Sequence[str] | None = None,
    **options: Unpack[EvaluationArguments],
) -> list[EvalResult]:
    """Measure top-1 and top-5 of a checkpoint under several protocols, in one pass over the files.

    Args:
        config: what is run; None: what the checkpoint file says of itself.
        checkpoint: file of weights.
        names: of protocols; ["all"]: every one of the same kind as the weights' own; None: that one alone.
        options: of these, all of which have a default:
            model: whose weights they are, a name of the index, if no hash says so.
            dataset: its name; None: the config's, or the one that the file or its entry in the index names.
            subset: one of a dataset's several sets, such as ImageNet-C's "fog/3"; "all": each; None: the only one.
            data_root: folder, tar or shards of the dataset; a built-in one needs none.
            labels, class_map: files that say the labels, where the layout doesn't.
            overrides: {field of the config: value}, such as {"model.bn_eps": 1e-4}.
            changes: of the protocols' fields, which make them protocols of the user's own.
            batch_size: images a step, in each process; 64.
            workers: threads (native) or processes that decode; 0: the main thread; None: as suits the backend.
            device: such as "cpu", "cuda:1"; None: the GPU where there is one.
            launcher: of processes: "pytorch", "slurm", "mpi" or "none"; None: what the environment says.
            backend, precision: what computes the logits, and in which numbers; "auto" and "float32".
            tta: test-time augmentation; None: one view of each image.
            cache: folder where decoded pixels are stored for further runs; None: they are not stored.
            on_error: an image that can't be read ends the run ("stop") or is counted wrong ("count-wrong").
            calibration: root of the dataset's training images, which precision int8 needs.
            limit: measure a sample of that many images, and store nothing; None: all.
            out: folder of results, and of the state until then; None: nowhere.
            resume, restart: go on from the state of an interrupted run, or drop it; neither: refuse it.
            predictions: parquet file for one row an image, under one protocol; None: none.
            show_progress: write on stderr how far the run is.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    return evaluate(*_options(config, checkpoint, names, options))


def evaluate(load: LoadOptions, options: RunOptions, store: StoreOptions) -> list[EvalResult]:
    """Measure top-1 and top-5 of a checkpoint under one protocol or several, in one pass over the files.

    Args:
        load: what is measured.
        options: how it is measured.
        store: where results are stored.

    Returns:
        One result for each subset and protocol.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    experiment, device = _checked(load, options, store)
    from densezoo.api.plan import make_plan
    from densezoo.evaluation import distributed
    from densezoo.evaluation.run import run

    with distributed.processes_watched():
        return run(make_plan(load, options, device, experiment), store)


def evaluate_labels(
    config: str | Path | None,
    checkpoint: str | Path,
    label_table: str | Path,
    *,
    names: Sequence[str] | None = None,
    **options: Unpack[EvaluationArguments],
) -> list[LabelResult]:
    """Measure a network that gives an image several labels: the area under each label's ROC curve, with its interval.

    Args:
        config: what is run; None: what the checkpoint file says of itself.
        checkpoint: file of weights.
        label_table: CSV with a header ``file,LABEL,...`` and a line an image, 0 or 1 a label; the files' names are
            relative to ``data_root``.
        names: of protocols; None: the weights' own alone.
        options: further arguments of `evaluate_protocols`.

    Returns:
        One result for each protocol.

    Raises:
        ConfigError: an option that is for one class an image.
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    for name, option in (("labels", "--labels"), ("class_map", "--class-map"), ("subset", "--subset")):
        if options.get(name) not in (None, "all"):
            raise ConfigError(
                f"{option} is for one class an image, and --label-table for several labels; leave one out"
            )
    if options.get("on_error", "stop") != "stop":
        raise ConfigError(
            "--on-error count-wrong is for one class an image: for an area no image is wrong; leave an image that "
            "can't be read out of the CSV"
        )
    load, run_options, store = _options(config, checkpoint, names, options)
    load = replace(load, label_table=Path(label_table))
    experiment, device = _checked(load, run_options, store)
    from densezoo.api.plan import make_plan
    from densezoo.evaluation import distributed
    from densezoo.evaluation.run import run_labels

    with distributed.processes_watched():
        return run_labels(make_plan(load, run_options, device, experiment), store)


def _checked(load: LoadOptions, options: RunOptions, store: StoreOptions) -> tuple[Experiment | None, str]:
    """(the config's experiment, the device), once every name is known; then the processes of the run are together."""
    if options.limit is not None and store.existing == "resume":
        raise ConfigError("--limit keeps nothing that --resume could go on from; leave out one of the two")
    experiment = check_names(
        load.config,
        load.checkpoint,
        overrides=load.overrides,
        names=load.protocols,
        dataset=load.dataset,
        tta=options.tta,
        device=options.device,
        backend=options.backend,
        precision=options.precision,
    )
    if store.predictions:
        written_as(store.predictions, "predictions", PREDICTIONS)
    with without_collection():  # here, because these import torch, and a misspelt name takes no time
        import densezoo.api.plan
        import densezoo.evaluation.run  # noqa: F401  what the run needs next
        from densezoo.backends.device import choose_device
        from densezoo.evaluation import distributed

    device = choose_device(options.device)
    distributed.start(options.launcher, device)  # before a file is read, so that an error in one process ends all
    return experiment, device


def _options(
    config: str | Path | None, checkpoint: str | Path, names: Sequence[str] | None, given: EvaluationArguments
) -> tuple[LoadOptions, RunOptions, StoreOptions]:
    """The options of an evaluation; what isn't given has the default of their classes.

    Raises:
        TypeError: there is no such argument.
    """
    if unknown := given.keys() - EvaluationArguments.__annotations__.keys():
        raise TypeError(f"an evaluation has no argument {min(unknown)!r}")
    values: dict[str, Any] = {**given}  # what follows goes by the dataclasses' fields, which no type checker does
    values |= {name: _path(values[name]) for name in _PATHS if name in values}
    state = {name: values.pop(name, False) for name in ("restart", "resume")}
    values["existing"] = next((name for name, is_asked in state.items() if is_asked), "refuse")
    values["overrides"], values["changes"] = values.get("overrides") or {}, values.get("changes") or Changes()
    first = {"config": _path(config), "checkpoint": Path(checkpoint), "protocols": names}
    arguments: list[dict[str, Any]] = [first, {}, {}]
    for kind, chosen in zip((LoadOptions, RunOptions, StoreOptions), arguments):
        chosen |= {field.name: values[field.name] for field in fields(kind) if field.name in values}
    return LoadOptions(**arguments[0]), RunOptions(**arguments[1]), StoreOptions(**arguments[2])


_PATHS = ("data_root", "labels", "class_map", "cache", "calibration", "out", "predictions")


def _path(path: str | Path | None) -> Path | None:
    return Path(path) if path else None


def report(results: Sequence[EvalResult]) -> str:
    """The text after a measurement: the numbers, and whether they agree with the published ones.

    Args:
        results: of one checkpoint.
    """
    specs = load_index().values()
    verdicts = [compare_with_published(result, specs) for result in results]
    if len(results) > 1 and not any(verdict.nearest for verdict in verdicts):
        return f"{matrix(results)}\n{verdicts[0]}"
    if len(results) == 1:
        return f"{summary(results[0])}\n{verdicts[0]}"
    return "\n".join(
        [matrix(results), *(f"  {r.protocol_label}: {verdict.briefly()}" for r, verdict in zip(results, verdicts))]
    )
