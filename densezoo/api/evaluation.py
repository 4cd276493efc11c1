"""A checkpoint measured on a dataset, under one protocol or several."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from densezoo import protocols
from densezoo.api.images import open_images
from densezoo.api.models import load_checkpoint
from densezoo.api.names import check_names
from densezoo.backends.device import choose_device
from densezoo.config import load_config
from densezoo.conversion.match import convert, read_network
from densezoo.data.layouts.datasets import find_subsets
from densezoo.data.layouts.folder import ImageSet
from densezoo.data.loading import OnError
from densezoo.data.views import check_fits, get_augmentation
from densezoo.errors import ConfigError
from densezoo.evaluation import distributed
from densezoo.evaluation import run as measure
from densezoo.files import written_as
from densezoo.formats.identity import unchanged
from densezoo.formats.safetensors import stated_facts
from densezoo.index.known import identify
from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.results import provenance
from densezoo.results.agreement import compare
from densezoo.results.store import read_results
from densezoo.results.summary import matrix, summary
from densezoo.types import Architecture, EvalResult, Experiment, ModelSpec, Protocol


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
        labels, class_map: where the labels stand, if not in the layout (`densezoo.data.layouts.datasets.open_dataset`).
        batch_size: images a step, in each process.
        workers: processes that decode images; 0: none but this one.
        device: None: the GPU where there is one.
        launcher: what started this process among others: "pytorch", "slurm", "mpi" or "none"; None: what its
            environment says. The images are shared out among all of them, and each returns the whole result.
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
    check_names(config, checkpoint, overrides=overrides, names=names, dataset=dataset, tta=tta, device=device)

    if predictions:
        written_as(Path(predictions), "predictions")
    device = choose_device(device)
    distributed.start(launcher, device)  # before a file is read: what one process then finds wrong ends all of them
    with distributed.watched():
        with unchanged(checkpoint) as sha256:
            spec, known_by = identify(Path(checkpoint), sha256, model) if sha256 else (None, None)
            experiment = _described(checkpoint, spec) if config is None else load_config(config, overrides)
            experiment = dataclasses.replace(experiment, dataset=dataset or experiment.dataset)
            if not experiment.dataset or not (names or spec or experiment.protocol):
                raise ConfigError(
                    f"{checkpoint}: doesn't say how it is used; give a config, or --dataset and --protocol"
                )
            network, converted = load_checkpoint(checkpoint, experiment.model)
        if spec and not _is_network_of(spec, checkpoint, experiment.model, converted.architecture):
            if model is not None:
                raise ConfigError(f"{config}: expected the network of {spec.name} ({spec.config}), found another one")
            spec = known_by = None  # what runs under that config is not what was published
        chosen = _protocols(names, spec.protocol if spec else experiment.protocol)
        augmentation = get_augmentation(tta)
        for protocol in chosen:
            check_fits(augmentation, protocol)
            _check_channels(experiment.model, protocol)
        subsets = find_subsets(experiment.dataset, data_root) if subset == "all" else [subset]
        if predictions and len(subsets) > 1:
            raise ConfigError(f"--predictions takes one subset, found {len(subsets)}; choose one by --subset")
        images = open_images(experiment, data_root, "test", labels, class_map, subsets[0])
        about: dict[str, Any] = {
            "model": spec.name if spec else _own_name(experiment, sha256, overrides),
            "config": experiment.path,
            "weights_sha256": sha256,
            "weights_known_by": known_by,
            "dataset": experiment.dataset,
            "backend": "eager",
            "precision": "float32",
            "device": device,
            "versions": provenance.versions(),
            "commit": provenance.commit(ROOT),
            "date": provenance.now(),
            "tta": tta,
            "architecture": _plain(dataclasses.asdict(experiment.model)),
        }
        loading = measure.Loading(batch_size, workers, on_error, augmentation, Path(cache) if cache else None)
        storing = measure.Storing(
            out=Path(out) if out else None,
            found="restart" if restart else "resume" if resume else "refuse",
            predictions=Path(predictions) if predictions else None,
            show_progress=show_progress,
        )
        stored = read_results(out) if out and resume and len(subsets) > 1 else []
        if out and storing.found == "refuse" and len(subsets) > 1:
            measure.check_states(Path(out), chosen, [{**about, "subset": each} for each in subsets])

        def measured(images: ImageSet) -> list[EvalResult]:
            facts = {**about, "subset": images.subset}
            if stored:
                images = measure.hashed(images, show_progress)
                fixed = {**facts, "dataset_fingerprint": images.fingerprint()}
                found = [_same(stored, {**fixed, "protocol": protocol.name}) for protocol in chosen]
                if all(found):
                    return [result for result in found if result]
            return measure.results(network, images, chosen, experiment.model, device, facts, loading, storing)

        made = measured(images)
        for other in subsets[1:]:
            made += measured(open_images(experiment, data_root, "test", labels, class_map, other))
        return made


def _is_network_of(spec: ModelSpec, checkpoint: str | Path, asked: Architecture, built: Architecture) -> bool:
    """Whether a checkpoint that was loaded for one architecture computes the same as under the index's config."""

    def same(one: Architecture, other: Architecture) -> bool:
        return dataclasses.replace(one, drop_rate=0.0) == dataclasses.replace(other, drop_rate=0.0)  # of training

    return same(asked, spec.architecture) or same(built, load_checkpoint(checkpoint, spec.architecture)[1].architecture)


def _same(stored: Sequence[EvalResult], facts: Mapping[str, object]) -> EvalResult | None:
    """The stored result of a measurement with these facts, whenever and from whichever commit it was made."""
    fixed = {key: value for key, value in facts.items() if key not in ("date", "commit")}
    return next((r for r in stored if all(_plain(getattr(r, key)) == value for key, value in fixed.items())), None)


def _plain(value: object) -> object:
    """As JSON has it: with lists for tuples."""
    return json.loads(json.dumps(value))


def _own_name(experiment: Experiment, sha256: str, overrides: Mapping[str, object] | None) -> str:
    """What weights are called that the index doesn't know; with an overridden network a name of its own."""
    changed = {key: value for key, value in (overrides or {}).items() if key.partition(".")[0] == "model"}
    digits = hashlib.sha256(json.dumps(changed, sort_keys=True, default=str).encode()).hexdigest()[:4]
    return f"{experiment.name}.{sha256[:8]}" + (f"-{digits}" if changed else "")


def _check_channels(architecture: Architecture, protocol: Protocol) -> None:
    """Hold a network's input against what a protocol gives.

    Raises:
        ConfigError: another number of channels.
    """
    given = len(protocol.channel_order)
    if architecture.in_chans != given:
        raise ConfigError(
            f"the network takes images of {architecture.in_chans} channels, and protocol {protocol.name} gives {given} "
            f"({protocol.channel_order}); choose another --protocol or checkpoint"
        )


def _described(checkpoint: str | Path, spec: ModelSpec | None) -> Experiment:
    """What a checkpoint file, or its entry in the index, says of how it is used; "" where neither does."""
    known = spec.architecture if spec else None
    content = read_network(checkpoint, known)
    architecture, _, report = convert(content, known)
    facts = stated_facts(Path(checkpoint), content.metadata)
    dataset = load_config(ROOT / spec.config).dataset if spec else str(facts.get("dataset", ""))
    protocol = str(facts.get("protocol") or report.protocol or "")
    return Experiment(Path(checkpoint).stem, spec.config if spec else "", architecture, dataset, protocol)


def report(results: Sequence[EvalResult]) -> str:
    """What a person reads after a measurement: the numbers, and whether they agree with the published ones."""
    specs = load_index().values()
    verdicts = [compare(result, specs) for result in results]
    if len(results) > 1 and not any(verdict.nearest for verdict in verdicts):
        return f"{matrix(results)}\n{verdicts[0]}"
    if len(results) == 1:
        return f"{summary(results[0])}\n{verdicts[0]}"
    return "\n".join(
        [matrix(results), *(f"  {r.conditions}: {verdict.briefly()}" for r, verdict in zip(results, verdicts))]
    )


def _protocols(names: Sequence[str] | None, own: str) -> list[Protocol]:
    if names is None:
        return [protocols.get_protocol(own)]
    if list(names) == ["all"]:
        return protocols.same_kind(protocols.get_protocol(own))
    return [protocols.get_protocol(name) for name in names]
