"""Plans one evaluation before an image is read: its weights, network, protocols and subsets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from torch import nn

from densezoo import protocols
from densezoo.api.images import OWN, open_images
from densezoo.api.label_images import find_table, labelled_images, network_labels
from densezoo.api.labels import gives_several_labels
from densezoo.backends.base import INT8, packages_of
from densezoo.config import load_config
from densezoo.conversion.load import build_network
from densezoo.conversion.match import convert, read_network
from densezoo.data.datasets import find_subsets
from densezoo.data.images import ImageSet
from densezoo.data.sampling import sample
from densezoo.data.split import FILE as SPLIT
from densezoo.data.split import stored_split
from densezoo.data.views import check_fits, get_augmentation
from densezoo.errors import ConfigError
from densezoo.evaluation.calibration import identify as identify_calibration
from densezoo.evaluation.options import LoadOptions, RunOptions
from densezoo.evaluation.run import Plan
from densezoo.families import architecture_values
from densezoo.formats.identity import unchanged
from densezoo.formats.safetensors import stated_facts
from densezoo.index.known import identify, own_protocol
from densezoo.paths import ROOT
from densezoo.protocols.own import changed, facts_of, from_fields
from densezoo.results import provenance
from densezoo.threads import one_thread
from densezoo.types import (
    Architecture,
    Checkpoint,
    ConversionReport,
    Experiment,
    KnownBy,
    ModelSpec,
    Protocol,
    RunFacts,
)


@dataclass(frozen=True)
class Loaded:
    """What was read from the file of weights, once.

    Args:
        network: in eval mode.
        experiment: the config's, or what the file says.
        path, weights_sha256: of the file.
        spec, known_by: whose weights they are, and how that is known; None where nothing says so.
        stated: the facts that densezoo wrote into the file (`densezoo.formats.safetensors.stated_facts`).
    """

    network: nn.Module
    experiment: Experiment
    path: Path
    weights_sha256: str
    spec: ModelSpec | None
    known_by: KnownBy | None
    stated: Mapping[str, object] = field(default_factory=dict)

    @property
    def own_protocol(self) -> str:
        """The name of the weights' own protocol; "" where nothing says one.

        Raises:
            ConfigError: file and index contradict each other.
        """
        stated = self.stated.get("protocol")
        if isinstance(stated, Mapping):
            stated = from_fields(stated, f"{self.path}: protocol").name
        given = None if stated is None or self.spec is None else str(stated)  # a config comes before the file
        return own_protocol(self.path, self.spec, given, self.experiment.protocol)

    @property
    def multi_label(self) -> bool | None:
        """Whether an image may have several labels: the file's word, or the index's, or the recipe's; None: no word."""
        return gives_several_labels(self.stated, self.experiment, self.spec)


def make_plan(load: LoadOptions, options: RunOptions, device: str, experiment: Experiment | None) -> Plan:
    """Identify and load the weights, and choose protocols and subsets.

    Args:
        load: what is measured.
        options: how it is measured.
        device: that the network runs on.
        experiment: the config's; None: there is none, and the checkpoint says what is run.

    Raises:
        ConfigError: nothing says how the checkpoint is used; the network is not the named model's, or doesn't fit a
            protocol.
        DensezooError: checkpoint or dataset can't be read.
    """
    loaded = load_weights(load, experiment)
    experiment = loaded.experiment
    if not experiment.dataset or not (load.protocols or loaded.own_protocol):
        raise ConfigError(f"{load.checkpoint}: doesn't say how it is used; give a config, or --dataset and --protocol")
    chosen = [changed(each, load.changes) for each in _protocols(load.protocols, loaded)]
    augmentation = get_augmentation(options.tta)
    for protocol in chosen:
        check_fits(augmentation, protocol)
        check_channels(experiment.model, protocol)
    if options.calibration and options.precision != INT8:
        raise ConfigError(f"--calibration is for --precision {INT8}, found {options.precision}; leave it out")
    training = open_images(experiment, options.calibration, "train") if options.calibration else None
    subsets = find_subsets(experiment.dataset, load.data_root) if load.subset == "all" else [load.subset]
    facts = dataclasses.replace(
        run_facts(loaded, load, options, device, chosen[0] if len(chosen) == 1 else None),
        subset=subsets[0],
        calibration=None if training is None else identify_calibration(training, experiment.dataset),
    )
    labels, opening = _opening(load, loaded)
    return Plan(
        network=loaded.network,
        architecture=experiment.model,
        protocols=chosen,
        subsets=subsets,
        open_images=lambda subset: sample(_told_if_trained_on(opening(subset), load.checkpoint), options.limit),
        facts=facts,
        options=options,
        training_images=training,
        labels=labels,
        class_names=_stated_names(loaded),
    )


def _opening(load: LoadOptions, loaded: Loaded) -> tuple[Sequence[str] | None, Callable[[str | None], ImageSet]]:
    """(the names of the network's labels, None where an image has one class; subset -> its images).

    Raises:
        ConfigError: labels of another dataset than a user's own, or that are not the network's; none are given for a
            network that has some.
        DatasetError: the table of labels can't be read, or names images that aren't there.
    """
    experiment = loaded.experiment
    if load.label_table is None:
        places = (load.data_root, "test", load.labels, load.class_map)
        return None, partial(open_images, experiment, *places, class_names=_own_classes(loaded))
    if experiment.dataset != OWN:
        raise ConfigError(f"--label-table is for dataset {OWN!r}, found {experiment.dataset!r}; give --dataset {OWN}")
    table, root = find_table(load.label_table, load.data_root)
    names = network_labels(table, loaded.stated.get("class_names"), experiment.model.num_classes)
    return names, lambda subset: labelled_images(table, root, names)


def _told_if_trained_on(images: ImageSet, checkpoint: Path) -> ImageSet:
    warn_if_trained_on(images.ids, checkpoint)
    return images


def warn_if_trained_on(images: Sequence[str], checkpoint: Path) -> None:
    """Warn of images that weights were trained on, if the split that lies beside them says so.

    Args:
        images: that are to be measured on, by their names in the folder of images.
        checkpoint: the weights.
    """
    stored = stored_split(checkpoint.parent / SPLIT) if checkpoint.suffix == ".safetensors" else None
    trained = sum(name in stored.train for name in images) if stored is not None else 0
    if trained:
        logging.getLogger("densezoo").warning(
            "warning: %d of %d images were trained on, as %s says, so the result says too much; measure on others",
            trained,
            len(images),
            checkpoint.parent / SPLIT,
        )


def _own_classes(loaded: Loaded) -> list[str] | None:
    """The names of the classes of a network that was trained on a user's own folders; None: of any other.

    Raises:
        ConfigError: it gives several labels an image, of which none is the right one.
    """
    if loaded.multi_label:
        raise ConfigError(
            "these weights give several labels an image, so that there is no top-1 to measure; --label-table FILE.csv "
            "measures the area under each label's ROC curve"
        )
    names = loaded.stated.get("class_names")
    if loaded.stated.get("dataset") != OWN or not isinstance(names, list):
        return None
    return [str(name) for name in names]


def _stated_names(loaded: Loaded) -> list[str]:
    """What the file of weights says that its outputs are called; empty where it says nothing."""
    names = loaded.stated.get("class_names")
    if not isinstance(names, list) or len(names) != loaded.experiment.model.num_classes:
        return []
    return [str(name) for name in names]


def run_facts(
    loaded: Loaded, load: LoadOptions, options: RunOptions, device: str, protocol: Protocol | None
) -> RunFacts:
    """What is known before an image is read.

    Args:
        loaded: the weights.
        load: what is run.
        options: how it is run.
        device: that the network runs on.
        protocol: how images are prepared; None: in several ways.
    """
    experiment, spec = loaded.experiment, loaded.spec
    return RunFacts(
        model=spec.name if spec else _own_name(experiment, loaded.weights_sha256, load.overrides),
        config=experiment.path,
        weights_sha256=loaded.weights_sha256,
        weights_known_by=loaded.known_by,
        dataset=experiment.dataset,
        backend=options.backend,
        precision=options.precision,
        device=device,
        versions=provenance.versions(packages_of(options.backend, options.precision)),
        commit=provenance.commit(ROOT),
        date=provenance.now(),
        tta=options.tta,
        architecture=json.loads(json.dumps(architecture_values(experiment.model))),  # as JSON has it: lists for tuples
        dataset_fingerprint="",
        protocol=protocol.name if protocol else "all",
        own_protocol=facts_of(protocol) if protocol else None,
        machine=provenance.machine(device),
    )


def load_weights(load: LoadOptions, experiment: Experiment | None) -> Loaded:
    """Identify the weights, read the file and build its network.

    Args:
        load: what is run.
        experiment: the config's; None: there is none, and the checkpoint says what is run.

    Raises:
        ConfigError: nothing says how the checkpoint is used; the network is not the named model's.
        DensezooError: the checkpoint can't be read.
    """
    checkpoint = load.checkpoint
    with unchanged(checkpoint) as sha256, one_thread():
        spec, known_by = identify(checkpoint, sha256, load.model) if sha256 else (None, None)
        if experiment is not None:
            experiment = _on_dataset(experiment, load)
            asked: Architecture | None = experiment.model
        else:
            asked = spec.architecture if spec else None
        content = read_network(checkpoint, asked)
        network, converted = build_network(content, asked)
        if experiment is None:
            experiment = _on_dataset(_described(checkpoint, content, converted, spec), load)
        if spec and not _is_network_of(spec, content, experiment.model, converted.architecture):
            if load.model is not None:
                raise ConfigError(
                    f"{load.config}: expected the network of {spec.name} ({spec.config}), found another one"
                )
            spec = known_by = None  # what runs under that config is not what was published
    return Loaded(network, experiment, checkpoint, sha256, spec, known_by, stated_facts(checkpoint, content.metadata))


def _on_dataset(experiment: Experiment, load: LoadOptions) -> Experiment:
    """The experiment with the dataset that was asked for."""
    return dataclasses.replace(experiment, dataset=load.dataset or experiment.dataset)


def _is_network_of(spec: ModelSpec, content: Checkpoint, asked: Architecture, built: Architecture) -> bool:
    """Whether the network of a file, read for one architecture, computes the same as under the index's config."""
    if asked.same_function() == spec.architecture.same_function():
        return True
    published, _, _ = convert(content, spec.architecture)
    return built.same_function() == published.same_function()


def _own_name(experiment: Experiment, sha256: str, overrides: Mapping[str, object]) -> str:
    """The name for weights that the index doesn't know; it depends on overrides of the network."""
    changed = {key: value for key, value in overrides.items() if key.partition(".")[0] == "model"}
    digits = hashlib.sha256(json.dumps(changed, sort_keys=True, default=str).encode()).hexdigest()[:4]
    return f"{experiment.name}.{sha256[:8]}" + (f"-{digits}" if changed else "")


def check_channels(architecture: Architecture, protocol: Protocol) -> None:
    """Refuse a network and a protocol with different numbers of channels.

    Args:
        architecture: of the network.
        protocol: of the images.

    Raises:
        ConfigError: they differ.
    """
    channels = len(protocol.channel_order)
    if architecture.in_chans != channels:
        raise ConfigError(
            f"the network takes images of {architecture.in_chans} channels, and protocol {protocol.name} gives "
            f"{channels} ({protocol.channel_order}); choose another protocol or checkpoint"
        )


def _described(path: Path, content: Checkpoint, converted: ConversionReport, spec: ModelSpec | None) -> Experiment:
    """What a checkpoint file, or its entry in the index, says of how it is used; "" where neither does.

    Args:
        path: the file.
        content: what was read from it.
        converted: what became of it.
        spec: its entry.
    """
    facts = stated_facts(path, content.metadata)
    dataset = load_config(ROOT / spec.config).dataset if spec else str(facts.get("dataset", ""))
    stated = facts.get("protocol") or converted.protocol or ""
    protocol = from_fields(stated, f"{path}: protocol").name if isinstance(stated, Mapping) else str(stated)
    return Experiment(path.stem, spec.config if spec else "", converted.architecture, dataset, protocol)


def _protocols(names: Sequence[str] | None, loaded: Loaded) -> list[Protocol]:
    if names is None:
        return [protocols.get_protocol(loaded.own_protocol)]
    if list(names) == ["all"]:
        return protocols.same_kind(protocols.get_protocol(loaded.own_protocol))
    return [protocols.get_protocol(name) for name in names]
