"""What one evaluation does, decided before an image is read: which weights, which network, which protocols."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from densezoo import protocols
from densezoo.api.images import open_images
from densezoo.api.models import load_checkpoint
from densezoo.config import load_config
from densezoo.conversion.match import convert, read_network
from densezoo.data.datasets import find_subsets
from densezoo.data.views import check_fits, get_augmentation
from densezoo.errors import ConfigError
from densezoo.evaluation.options import LoadOptions, RunOptions
from densezoo.evaluation.run import Plan
from densezoo.families import architecture_values
from densezoo.formats.identity import unchanged
from densezoo.formats.safetensors import stated_facts
from densezoo.index.known import identify
from densezoo.paths import ROOT
from densezoo.results import provenance
from densezoo.types import Architecture, Experiment, ModelSpec, Protocol, RunFacts


def make_plan(load: LoadOptions, options: RunOptions, device: str) -> Plan:
    """Identify and load the weights, and choose protocols and subsets.

    Args:
        device: that the network runs on.

    Raises:
        ConfigError: nothing says how the checkpoint is used; the network is not the named model's, or doesn't fit a
            protocol.
        DensezooError: config, checkpoint or dataset can't be read.
    """
    checkpoint = load.checkpoint
    with unchanged(checkpoint) as sha256:
        spec, known_by = identify(checkpoint, sha256, load.model) if sha256 else (None, None)
        experiment = _described(checkpoint, spec) if load.config is None else load_config(load.config, load.overrides)
        experiment = dataclasses.replace(experiment, dataset=load.dataset or experiment.dataset)
        if not experiment.dataset or not (load.protocols or spec or experiment.protocol):
            raise ConfigError(f"{checkpoint}: doesn't say how it is used; give a config, or --dataset and --protocol")
        network, converted = load_checkpoint(checkpoint, experiment.model)
    if spec and not _is_network_of(spec, checkpoint, experiment.model, converted.architecture):
        if load.model is not None:
            raise ConfigError(f"{load.config}: expected the network of {spec.name} ({spec.config}), found another one")
        spec = known_by = None  # what runs under that config is not what was published
    chosen = _protocols(load.protocols, spec.protocol if spec else experiment.protocol)
    augmentation = get_augmentation(options.tta)
    for protocol in chosen:
        check_fits(augmentation, protocol)
        _check_channels(experiment.model, protocol)
    subsets = find_subsets(experiment.dataset, load.data_root) if load.subset == "all" else [load.subset]
    facts = RunFacts(
        model=spec.name if spec else _own_name(experiment, sha256, load.overrides),
        config=experiment.path,
        weights_sha256=sha256,
        weights_known_by=known_by,
        dataset=experiment.dataset,
        backend=options.backend,
        precision=options.precision,
        device=device,
        versions=provenance.versions(),
        commit=provenance.commit(ROOT),
        date=provenance.now(),
        tta=options.tta,
        architecture=json.loads(json.dumps(architecture_values(experiment.model))),  # as JSON has it: lists for tuples
        subset=subsets[0],
        dataset_fingerprint="",
        protocol=chosen[0].name if len(chosen) == 1 else "all",
    )
    opening = partial(open_images, experiment, load.data_root, "test", load.labels, load.class_map)
    return Plan(network, experiment.model, chosen, subsets, opening, facts, options)


def _is_network_of(spec: ModelSpec, checkpoint: Path, asked: Architecture, built: Architecture) -> bool:
    """Whether a checkpoint that was loaded for one architecture computes the same as under the index's config."""
    if asked.same_function() == spec.architecture.same_function():
        return True
    published = load_checkpoint(checkpoint, spec.architecture)[1].architecture
    return built.same_function() == published.same_function()


def _own_name(experiment: Experiment, sha256: str, overrides: Mapping[str, object]) -> str:
    """What weights are called that the index doesn't know; with an overridden network a name of its own."""
    changed = {key: value for key, value in overrides.items() if key.partition(".")[0] == "model"}
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


def _described(checkpoint: Path, spec: ModelSpec | None) -> Experiment:
    """What a checkpoint file, or its entry in the index, says of how it is used; "" where neither does."""
    known = spec.architecture if spec else None
    content = read_network(checkpoint, known)
    architecture, _, report = convert(content, known)
    facts = stated_facts(checkpoint, content.metadata)
    dataset = load_config(ROOT / spec.config).dataset if spec else str(facts.get("dataset", ""))
    protocol = str(facts.get("protocol") or report.protocol or "")
    return Experiment(checkpoint.stem, spec.config if spec else "", architecture, dataset, protocol)


def _protocols(names: Sequence[str] | None, own: str) -> list[Protocol]:
    if names is None:
        return [protocols.get_protocol(own)]
    if list(names) == ["all"]:
        return protocols.same_kind(protocols.get_protocol(own))
    return [protocols.get_protocol(name) for name in names]
