"""Measures a checkpoint on a dataset, under one protocol or several."""

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
    """Measure top-1 and top-5 of a checkpoint on its config's dataset, under one protocol.

    Args:
        config, checkpoint: as for `evaluate_protocols`.
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
    """Measure top-1 and top-5 of a checkpoint under several protocols, in one pass over the files.

    Args:
        config: the config file; None: the checkpoint states how it is used (`convert_checkpoint` writes that).
        checkpoint: the file of weights, of any source and format.
        model: the model that the weights are of, a name of the index, if no hash tells (`densezoo.index.known`).
        dataset: its name; None: the config's, or the one that the file or its entry in the index names.
        subset: of a dataset of several sets, such as ImageNet-C's "fog/3"; "all": each set in data_root, one after
            the other; None: the only one.
        names: the protocols; ["all"]: every one of the same kind as the weights' own; None: that one alone.
        data_root: folder, tar or shards of the dataset; built-in datasets need none.
        labels, class_map: files with the labels, if the layout doesn't give them
            (`densezoo.data.datasets.open_dataset`).
        batch_size: images in a step of each process.
        workers: processes that decode images; 0: this process does.
        device: "cpu", "cuda", "cuda:1", ...; None: the GPU if there is one.
        launcher: what started several processes: "pytorch", "slurm", "mpi" or "none"; None: the one that the
            environment shows. The images are divided among the processes, and each returns the whole result.
        backend, precision: what computes the logits, and its precision (`densezoo.backends.base.BACKENDS`).
        overrides: of config fields, {"model.bn_eps": 1e-4, ...}.
        tta: test-time augmentation, a name of `densezoo.data.views`; None: one view of each image.
        cache: folder where decoded pixels are stored for further runs; None: they are not stored.
        on_error: an image that can't be read ends the run ("stop"), or is counted wrong and listed ("count-wrong").
        out: folder where the results are stored, and the run's state until then; None: nothing is stored.
        resume: go on from the state that an interrupted run with the same arguments left in ``out``, if there is one.
            Of several subsets, those whose results are stored are not measured again.
        restart: drop that state. With neither, a state that holds records is an error.
        predictions: parquet file with one row for each image (`densezoo.evaluation.predictions`); under one protocol.
        show_progress: show progress on stderr.

    Returns:
        One result for each subset and protocol.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
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
    distributed.start(options.launcher, device)  # before a file is read, so that an error in one process ends all
    with distributed.watched():
        return run(make_plan(load, options, device), store)


def _path(path: str | Path | None) -> Path | None:
    return Path(path) if path else None


def report(results: Sequence[EvalResult]) -> str:
    """The text after a measurement: the numbers, and whether they agree with the published ones.

    Args:
        results: of one checkpoint.
    """
    specs = load_index().values()
    verdicts = [compare(result, specs) for result in results]
    if len(results) > 1 and not any(verdict.nearest for verdict in verdicts):
        return f"{matrix(results)}\n{verdicts[0]}"
    if len(results) == 1:
        return f"{summary(results[0])}\n{verdicts[0]}"
    return "\n".join(
        [matrix(results), *(f"  {r.protocol_label}: {verdict.briefly()}" for r, verdict in zip(results, verdicts))]
    )
