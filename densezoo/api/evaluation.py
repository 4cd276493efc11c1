"""A checkpoint measured on a dataset, under one protocol or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from densezoo.api.names import check_names
from densezoo.api.plan import make_plan
from densezoo.backends.device import choose_device
from densezoo.data.loading import OnError
from densezoo.evaluation import distributed
from densezoo.evaluation.options import ExistingState, LoadOptions, RunOptions, StoreOptions
from densezoo.evaluation.run import run
from densezoo.files import PREDICTIONS, written_as
from densezoo.index.load import load_index
from densezoo.results.agreement import compare
from densezoo.results.summary import matrix, summary
from densezoo.types import EvalResult


def evaluate_checkpoint(
    config: str | Path | None, checkpoint: str | Path, *, protocol: str | None = None, **options: Any
) -> EvalResult:
    """Top-1 and top-5 of a checkpoint on its config's dataset, under one protocol.

    Args:
        protocol: its name; None: the protocol of the index's entry for these weights, or else the config's.
        options: as for `evaluate_protocols`.

    Raises:
        DensezooError: one of its kinds for each thing that a user can mend.
    """
    (result,) = evaluate_protocols(config, checkpoint, names=None if protocol is None else [protocol], **options)
    return result


def evaluate_protocols(
    config: str | Path | None,
    checkpoint: str | Path,
    *,
    model: str | None = None,
    dataset: str | None = None,
    subset: str | None = None,
    names: Sequence[str] | None = None,
    data_root: str | Path | None = None,
    labels: str | Path | None = None,
    class_map: str | Path | None = None,
    batch_size: int = 64,
    workers: int = 2,
    device: str | None = None,
    launcher: str | None = None,
    backend: str = "eager",
    precision: str = "float32",
    overrides: Mapping[str, object] | None = None,
    tta: str | None = None,
    cache: str | Path | None = None,
    on_error: OnError = "stop",
    out: str | Path | None = None,
    resume: bool = False,
    restart: bool = False,
    predictions: str | Path | None = None,
    show_progress: bool = False,
) -> list[EvalResult]:
    """Top-1 and top-5 of a checkpoint under several protocols, in one pass over the files; one result a protocol.

    Args:
        config: what is run; None: what the checkpoint file says of itself (`convert_checkpoint` writes it there).
        model: whose weights they are, a name of the index, if no hash says so (`densezoo.index.known.identify`).
        dataset: its name; None: the config's, or the one that the file or its entry in the index names.
        subset: which of a dataset's several sets, such as ImageNet-C's "fog/3"; "all": each of those in data_root, one
            after the other, or of a dataset that is one set that; None: the only one.
        names: the protocols; ["all"]: every one of the same kind as the weights' own; None: that one alone.
        data_root: folder, tar or shards of the dataset; built-in datasets need none.
        labels, class_map: where the labels stand, if not in the layout (`densezoo.data.datasets.open_dataset`).
        batch_size: images a step, in each process.
        workers: processes that decode images; 0: none but this one.
        device: None: the GPU where there is one.
        launcher: what started this process among others: "pytorch", "slurm", "mpi" or "none"; None: what its
            environment says. The images are shared out among all of them, and each returns the whole result.
        backend, precision: what computes the logits, and in what (`densezoo.backends.base.BACKENDS`).
        overrides: of config fields, {"model.bn_eps": 1e-4, ...}.
        tta: test-time augmentation, a name of `densezoo.data.views`; None: each image once.
        cache: folder where decoded pixels are kept for further runs; None: nowhere.
        on_error: an image that can't be read ends the run ("stop"), or is counted wrong and listed ("count-wrong").
        out: folder where the results are stored, and the run's state until then; None: nothing is stored.
        resume: go on from the state that a run of the same left in ``out`` when it was interrupted, if there is one.
            Of several subsets, those whose results are stored already are not measured again.
        restart: drop that state. Without either, a state that holds records is an error.
        predictions: parquet file for one row an image (`densezoo.evaluation.predictions`), under one protocol.

    Raises:
        DensezooError: one of its kinds for each thing that a user can mend.
    """
    load = LoadOptions(
        config=None if config is None else Path(config),
        checkpoint=Path(checkpoint),
        model=model,
        dataset=dataset,
        subset=subset,
        protocols=names,
        data_root=_path(data_root),
        labels=_path(labels),
        class_map=_path(class_map),
        overrides=overrides or {},
    )
    options = RunOptions(
        batch_size, workers, device, launcher, backend, precision, tta=tta, cache=_path(cache), on_error=on_error
    )
    existing: ExistingState = "restart" if restart else "resume" if resume else "refuse"
    return evaluate(load, options, StoreOptions(_path(out), existing, _path(predictions), show_progress))


def evaluate(load: LoadOptions, options: RunOptions, store: StoreOptions) -> list[EvalResult]:
    """Top-1 and top-5 of a checkpoint under one protocol or several, in one pass over the files.

    Args:
        load: what is measured.
        options: how.
        store: where results go.

    Returns:
        One result a subset and protocol.

    Raises:
        DensezooError: one of its kinds for each thing that a user can mend.
    """
    check_names(
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
    device = choose_device(options.device)
    distributed.start(options.launcher, device)  # before a file is read: what one finds wrong ends all processes
    with distributed.watched():
        return run(make_plan(load, options, device), store)


def _path(path: str | Path | None) -> Path | None:
    return Path(path) if path else None


def report(results: Sequence[EvalResult]) -> str:
    """What a person reads after a measurement: the numbers, and whether they agree with the published ones."""
    specs = load_index().values()
    verdicts = [compare(result, specs) for result in results]
    if len(results) > 1 and not any(verdict.nearest for verdict in verdicts):
        return f"{matrix(results)}\n{verdicts[0]}"
    if len(results) == 1:
        return f"{summary(results[0])}\n{verdicts[0]}"
    return "\n".join(
        [matrix(results), *(f"  {r.protocol_label}: {verdict.briefly()}" for r, verdict in zip(results, verdicts))]
    )
