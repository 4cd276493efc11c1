"""The composition root: the only module that joins the parts. Each function here is one command of ``tools/``.

Importing it imports no torch; what needs torch is imported where it is used.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densezoo import protocols
from densezoo.config import load_config
from densezoo.errors import (
    CheckpointError,
    ConfigError,
    DownloadError,
    MetafileError,
    ResultError,
    UnknownNameError,
    suggestion,
)
from densezoo.families import architecture_values, build_model, families, family_of
from densezoo.files import write_atomically, written_as
from densezoo.index.load import find_by_sha256, get_spec, load_index, tell_which
from densezoo.index.select import select
from densezoo.paths import RESULTS, ROOT, relative_to_root
from densezoo.threads import one_thread
from densezoo.types import Architecture, ConversionReport, EvalResult, Experiment, ModelSpec, Protocol

if TYPE_CHECKING:
    from torch import nn

    from densezoo.data.images import ImageSet
    from densezoo.data.loading import OnError
    from densezoo.data.preprocess import Preprocess

__all__ = [
    "analyze",
    "benchmark_formats",
    "check_index",
    "convert_checkpoint",
    "create_model",
    "evaluate_checkpoint",
    "evaluate_protocols",
    "fetch_weights",
    "get_protocol",
    "get_spec",
    "list_models",
    "load_checkpoint",
    "make_tables",
    "report",
    "train_config",
    "verify_weights",
]

DEVICES = ("cpu", "cuda", "xpu", "mps", "hpu", "npu", "mtia")  # those of torch's that compute
DEMO = (
    ROOT / "configs/digits/densenet_bc_22_8_digits.py",
    ROOT / "configs/digits/densenet_bc_22_8_digits.safetensors",
)
GENERATED = (ROOT / "README.md",)  # documents with tables in them
CARDS = ROOT / "docs/models"  # a page an architecture, generated whole


def get_protocol(name: str) -> Preprocess:
    """A named protocol, to call with an image: a path, an encoded file or a Pillow image -> float32 (C, H, W).

    Its ``protocol`` holds the fields (`densezoo.types.Protocol`).

    Raises:
        UnknownNameError: there is none of that name.
    """
    from densezoo.data.preprocess import Preprocess

    return Preprocess(protocols.get_protocol(name))


def list_models(pattern: str = "*", *, where: str | None = None, sort: str = "name") -> list[str]:
    """Names of the index.

    Args:
        pattern: shell pattern that the name or an alias matches.
        where: such as ``top1 > 76 and params < 10e6`` (`densezoo.index.select`).
        sort: a field of `densezoo.index.select.FIELDS`, ``-top1`` from high to low.

    Raises:
        QueryError: ``where`` can't be read.
        UnknownNameError: a field that doesn't exist; names the nearest.
    """
    return [spec.name for spec in select(load_index().values(), pattern, where, sort)]


def create_model(
    architecture: str | Architecture,
    *,
    builder: str = "densezoo",
    pretrained: bool = False,
    num_classes: int | None = None,
    in_chans: int | None = None,
    features_only: bool = False,
) -> nn.Module:
    """A DenseNet.

    Args:
        architecture: a name or alias of the index, an architecture's name (what is before the dot), or what to build.
        builder: whose implementation: "densezoo", "timm" or "torchvision"; the weights decide the function, not this.
        pretrained: fetch the weights of that name; otherwise they are fresh.
        num_classes: None: the architecture's. With other ones than the weights have, the classifier is a fresh one.
        in_chans: channels of the image; None: the architecture's.
        features_only: give the feature maps of every stage in place of logits (timm's ``features_only``).

    Raises:
        UnknownNameError: no such model or builder.
        ConfigError: the builder can't express the architecture; weights are asked for that don't exist or don't fit.
        DownloadError, FormatError, CheckpointError: the weights can't be fetched, read or converted.
    """

    arch = architecture if isinstance(architecture, Architecture) else _architecture(architecture)
    own_classes, own_chans = arch.num_classes, arch.in_chans
    arch = dataclasses.replace(arch, num_classes=num_classes or own_classes, in_chans=in_chans or own_chans)
    if not pretrained:
        network = build_model(arch, builder)
    elif isinstance(architecture, Architecture) or arch.in_chans != own_chans:
        what = (
            "an Architecture" if isinstance(architecture, Architecture) else f"{architecture} with {in_chans} channels"
        )
        raise ConfigError(f"there are no weights for {what}; expected a name of the index and in_chans {own_chans}")
    else:
        loaded, stated = _pretrained(get_spec(architecture))
        network = build_model(stated, builder)  # what the file says of itself, its epsilon for one, included
        network.load_state_dict(loaded.state_dict())
        if arch.num_classes != own_classes:
            network = family_of(arch).with_fresh_classifier(network, arch.num_classes)
    return family_of(arch).feature_maps(network, arch) if features_only else network


def _architecture(name: str) -> Architecture:
    """Of a model of the index; of an architecture's name that is no model's alias, of its first model."""
    specs = load_index().values()
    first = next((spec for spec in specs if spec.arch == name), None)
    if first is None or any(name in spec.aliases for spec in specs):
        return get_spec(name).architecture
    tell_which(name, first, specs)
    return first.architecture


def _pretrained(spec: ModelSpec) -> tuple[nn.Module, Architecture]:
    """The network of a model's published weights, and its architecture."""
    network, report = load_checkpoint(fetch_weights(spec.name), spec.architecture)
    return network, report.architecture


def fetch_weights(name: str, *, mirrors: Sequence[str] = ()) -> Path:
    """The file of a model's published weights, from the cache or fetched into it (`densezoo.index.download`).

    The cache is DENSEZOO_HOME, or ``densezoo`` in the user's cache directory. A file is checked at every use: against
    what its publisher states, and against the sha256 that it had at its first use.

    Args:
        mirrors: base URLs or folders that are asked first; then those of DENSEZOO_MIRRORS, then the publisher.

    Raises:
        UnknownNameError: no such model.
        DownloadError: no place has the file as it was published, the cache can't be written; says what to do by hand.
    """
    from densezoo.index import download

    return download.fetch_weights(name, mirrors)


def verify_weights() -> int:
    """Check every file of the cache anew; returns how many there are.

    Raises:
        DownloadError: names every file that is wrong; the next `fetch_weights` moves it aside.
    """
    from densezoo.index.download import verify_cache

    checked, faults = verify_cache()
    if faults:
        raise DownloadError("\n".join([f"{len(faults)} of {checked} files are wrong", *faults]))
    return checked


def check_index(path: str | Path = ROOT / "model-index.yml") -> int:
    """Hold every entry of the index against its format and its network; returns how many models were checked.

    Every network is rebuilt: parameters and the FLOPs of every convention that has a definition must agree exactly.

    Raises:
        MetafileError: what is wrong; names file, model and field.
    """
    from densezoo.families.claims import contradictions

    keymaps = {keymap.name for family in families() for keymap in family.keymaps}
    specs = load_index(path)
    problems = []
    for spec in specs.values():
        where = f"{', '.join(spec.metafiles)}: model {spec.name}"
        problems += [f"{where}: {problem}" for problem in contradictions(spec)]
        for name in {source.keymap for source in spec.weights} - {None, *keymaps}:
            problems.append(f"{where}: Weight Files: Keymap: there is no {name!r}{suggestion(str(name), keymaps)}")
    if problems:
        raise MetafileError("\n".join(problems))
    return len(specs)


def load_checkpoint(
    path: str | Path, architecture: Architecture | None = None, **options: object
) -> tuple[nn.Module, ConversionReport]:
    """The network of a checkpoint file, in eval mode, and what became of every tensor.

    Args:
        architecture: what it has to be; None: what its tensors say.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no network of a known family, another one, or an incomplete one.
    """
    from densezoo.conversion.load import load_network

    with one_thread():
        return load_network(path, architecture, **options)


def convert_checkpoint(
    source: str | Path, destination: str | Path, *, to: str | None = None, verify: bool = False, **options: Any
) -> tuple[ConversionReport, dict[str, object]]:
    """Write a checkpoint of any system for another one, and read what was written.

    Args:
        destination: the file to write; it is whole or not there at all.
        to: "densezoo" (safetensors that needs no config), or a system of `densezoo.conversion.export.TARGETS`; None:
            the one of the destination's extension (`densezoo.files`).
        verify: run the networks of both files in their systems, where those are installed, against ours.
        options: as for `load_checkpoint`.

    Returns:
        The report, and what was written: {"path", "to", "sha256", "source_sha256", "verified": {which file: largest
        error relative to the largest logit, or why its system did not run it}}.

    Raises:
        FormatError, CheckpointError: as for `load_checkpoint` and `densezoo.conversion.export.export`; what was
            written computes another function.
        UnknownNameError: no such target.
        ConfigError: the destination's extension is unknown, or another target's.
    """
    from densezoo.conversion.export import TARGETS, export
    from densezoo.formats.identity import file_sha256, unchanged

    if to is not None and to not in TARGETS:
        raise UnknownNameError("target", to, TARGETS)
    source, destination = Path(source), Path(destination)
    to = written_as(destination, "checkpoint", to)
    with unchanged(source) as sha256:
        model, report = load_checkpoint(source, **options)
    spec = find_by_sha256(sha256)
    facts = {
        "architecture": architecture_values(report.architecture),
        "protocol": spec.protocol if spec else report.protocol,
        "origin": {"file": source.name, "format": report.format, "source": report.source},
        "sha256": sha256,
    }
    export(destination, to, report.architecture, model.state_dict(), facts)
    files = [(report.source, source), *([(to, destination)] if to != "densezoo" else [])]
    verified = _verify(model, report, files) if verify else {}
    written = {"path": str(destination), "to": to, "sha256": file_sha256(destination), "source_sha256": sha256}
    return report, {**written, "verified": verified}


def _verify(model: nn.Module, report: ConversionReport, files: Sequence[tuple[str, Path]]) -> dict[str, float | str]:
    """{"system file": largest relative error of its network's logits against ours, or why it was not run}.

    Raises:
        CheckpointError: more than a rounding error.
    """
    from densezoo.conversion.verify import LARGEST_ERROR, largest_error, probe_images, system_of

    arch = report.architecture
    images = probe_images(arch)
    errors = {}
    for source, path in files:
        system = system_of(source, path, arch)
        error = errors[f"{system} {path.name}"] = largest_error(system, path, model, arch, images)
        if not isinstance(error, str) and not error <= LARGEST_ERROR:
            raise CheckpointError(
                f"{path}: in {system} its logits differ from densezoo's by {error:.1e} of the largest; "
                f"expected at most {LARGEST_ERROR:.0e}; don't use the conversion, and report this"
            )
    return errors


def check_names(
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    names: Sequence[str] | None = None,
    dataset: str | None = None,
    tta: str | None = None,
    device: str | None = None,
) -> None:
    """Refuse what doesn't exist before anything is imported or read that takes time.

    Args:
        config, checkpoint, overrides, names, dataset, tta, device: as for `evaluate_protocols`.

    Raises:
        UnknownNameError: no such protocol, dataset or test-time augmentation; names the nearest.
        ConfigError: the config can't be read, or stands in the checkpoint's place; no such device.
    """
    from densezoo.data.datasets import get_dataset
    from densezoo.data.views import get_augmentation

    if checkpoint is not None and Path(checkpoint).suffix == ".py":
        if config is not None and Path(config).suffix != ".py":
            raise ConfigError(f"config and checkpoint are swapped: expected {checkpoint} {config}, the config first")
        raise ConfigError(f"{checkpoint}: is a config; a checkpoint goes after it: CONFIG.py CHECKPOINT")
    experiment = None if config is None else load_config(config, overrides)
    for protocol in names or [experiment.protocol if experiment else ""]:
        if protocol not in ("", "all"):
            protocols.get_protocol(protocol)
    if used := dataset or (experiment.dataset if experiment else ""):
        get_dataset(used)
    get_augmentation(tta)
    if device is not None:
        kind, _, number = device.partition(":")
        if kind not in DEVICES or (number != "" and not number.isdecimal()):
            raise ConfigError(f"--device {device}: expected such as cpu, cuda or cuda:1{suggestion(kind, DEVICES)}")
        if kind != "cpu":
            _device(device)


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
        labels, class_map: where the labels stand, if not in the layout (`densezoo.data.datasets.open_dataset`).
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
    from densezoo.data.datasets import find_subsets
    from densezoo.data.views import check_fits, get_augmentation
    from densezoo.evaluation import distributed
    from densezoo.evaluation import run as measure
    from densezoo.formats.identity import unchanged
    from densezoo.index.known import identify
    from densezoo.results import provenance
    from densezoo.results.store import read_results

    if predictions:
        written_as(Path(predictions), "predictions")
    device = _device(device)
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
        images = _open_images(experiment, data_root, "test", labels, class_map, subsets[0])
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
            "architecture": _plain(architecture_values(experiment.model)),
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
            made += measured(_open_images(experiment, data_root, "test", labels, class_map, other))
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
    from densezoo.conversion.match import convert, read_network
    from densezoo.formats.safetensors import stated_facts

    known = spec.architecture if spec else None
    content = read_network(checkpoint, known)
    architecture, _, report = convert(content, known)
    facts = stated_facts(Path(checkpoint), content.metadata)
    dataset = load_config(ROOT / spec.config).dataset if spec else str(facts.get("dataset", ""))
    protocol = str(facts.get("protocol") or report.protocol or "")
    return Experiment(Path(checkpoint).stem, spec.config if spec else "", architecture, dataset, protocol)


def report(results: Sequence[EvalResult]) -> str:
    """What a person reads after a measurement: the numbers, and whether they agree with the published ones."""
    from densezoo.results.agreement import compare
    from densezoo.results.summary import matrix, summary

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


def train_config(
    config: str | Path,
    *,
    data_root: str | Path | None = None,
    work_dir: str | Path | None = None,
    workers: int = 2,
    device: str | None = None,
    launcher: str | None = None,
    overrides: Mapping[str, object] | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train what a config describes; returns the checkpoint, ``<work_dir>/<config>.safetensors``.

    Args:
        work_dir: for logs and checkpoints; None: ``work_dirs/<config>``. One that has a run in it is refused.
        resume: go on after the last whole epoch of the run in ``work_dir``, if there is one. On a CPU in one
            process with ``workers=0`` the end is the same, bit for bit, as without the interruption; otherwise the
            augmentation of the epochs left draws other numbers.
        overwrite: remove the run in ``work_dir``, its files alone, and begin anew.
        data_root, workers, device, launcher, overrides: as for `evaluate_checkpoint`.

    Raises:
        DensezooError: one of its kinds for each thing that a user can mend.
    """
    from densezoo.training import work_folder
    from densezoo.training.recipe import check_recipe

    check_names(config, overrides=overrides, device=device)
    experiment = load_config(config, overrides)
    recipe, protocol = experiment.train, protocols.get_protocol(experiment.protocol)
    if recipe is None:
        raise ConfigError(f"{config}: has no 'train' entry; it is for evaluation only")
    check_recipe(recipe)
    folder = Path(work_dir or Path("work_dirs") / experiment.name)
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude each other: go on with a run, or remove it")
    work_folder.check_folder(folder)
    if not (resume or overwrite):
        work_folder.check_free(folder, experiment.name)

    from mmengine.runner import set_random_seed

    from densezoo.evaluation import distributed
    from densezoo.evaluation import run as measure
    from densezoo.formats.safetensors import write_safetensors
    from densezoo.training.augmentations import get_augmentation
    from densezoo.training.data import TrainingImages
    from densezoo.training.run import train

    images, held_out = (_open_images(experiment, data_root, split) for split in ("train", "test"))
    transforms = get_augmentation(recipe.augmentation)(protocol.crop)
    chosen_device = _device(device)
    launcher = distributed.start(launcher, chosen_device)
    started_with = work_folder.run_facts(experiment, distributed.world_size())
    resume_from = work_folder.resumable(folder, started_with) if resume else None
    set_random_seed(recipe.seed, deterministic=True)  # before the weights are drawn
    network, known = create_model(experiment.model), measure.hashed(held_out)

    def evaluate(network: nn.Module) -> Mapping[str, float]:
        return measure.percentages(network, known, protocol, experiment.model, chosen_device, recipe.batch_size)

    if overwrite and distributed.is_main():
        work_folder.remove_run(folder, experiment.name)
    try:
        train(
            network,
            TrainingImages(images, protocol, transforms),
            recipe,
            evaluate=evaluate,
            work_dir=folder,
            workers=workers,
            launcher=launcher,
            facts=started_with,
            resume_from=resume_from,
        )
    except KeyboardInterrupt as error:
        error.args = (work_folder.kept(folder),)
        raise
    path = folder / f"{experiment.name}.safetensors"
    if distributed.is_main():
        facts = {"architecture": architecture_values(experiment.model), "config": experiment.path, "seed": recipe.seed}
        facts |= {"dataset": experiment.dataset, "protocol": experiment.protocol}
        write_safetensors(path, network.state_dict(), facts)
    return path


def benchmark_formats(
    files: Sequence[str | Path], *, rounds: int = 5, folder: str | Path = RESULTS / "benchmarks"
) -> tuple[Path, list[dict[str, Any]]]:
    """How long checkpoint files take to become models, beside PyPI's torchfile where it is installed and reads them.

    Args:
        rounds: interleaved runs of every reader and file.
        folder: of the stored result, formats.json.

    Returns:
        Where it is stored, and a row a file: file, mib, seconds (median), torchfile_seconds and ratio (or None).

    Raises:
        FormatError, CheckpointError: a file can't be loaded.
    """
    from densezoo.evaluation.timing import interleaved_medians, load_with_torchfile
    from densezoo.results import provenance

    rows: list[dict[str, Any]] = []
    for path in map(Path, files):
        runs: dict[str, Callable[[], object]] = {"densezoo": functools.partial(load_checkpoint, path)}
        if load_with_torchfile(path) is not None:
            runs["torchfile"] = functools.partial(load_with_torchfile, path)
        medians = interleaved_medians(runs, rounds)
        theirs = medians.get("torchfile")
        ratio = theirs / medians["densezoo"] if theirs else None
        row = {"file": path.name, "mib": path.stat().st_size / 2**20, "seconds": medians["densezoo"]}
        rows.append({**row, "torchfile_seconds": theirs, "ratio": ratio})
    facts = {"rounds": rounds, "versions": provenance.versions(), "date": provenance.now()}
    Path(folder).mkdir(parents=True, exist_ok=True)
    stored = Path(folder) / "formats.json"
    write_atomically(stored, json.dumps({"files": rows, **facts, "commit": provenance.commit(ROOT)}, indent=2) + "\n")
    return stored, rows


def analyze(
    path: str | Path, other: str | Path | None = None, *, topk: Sequence[int] = (1, 5), plot: str | Path | None = None
) -> str:
    """Every measure of a file of predictions, computed anew; and whether it is really better than another run's.

    Args:
        path, other: parquet files of `evaluate_protocols`.
        topk: accuracies among the first k classes.
        plot: .png, .pdf or .svg file for the reliability diagram.

    Raises:
        EvaluationError: a file can't be read; the two are over different images.
        ConfigError: a k that is not 1 to the number of classes; an extension of the plot that none has.
        ResultError: the diagram can't be drawn.
    """
    from densezoo.evaluation.comparison import compare
    from densezoo.evaluation.predictions import read_predictions
    from densezoo.evaluation.report import comparison_report, report
    from densezoo.results.plots import reliability_diagram

    if plot:
        written_as(Path(plot), "plot")
    first = read_predictions(path)
    measures, num_classes = first.measures(), first.about["num_classes"]
    if not all(1 <= k <= num_classes for k in topk):
        raise ConfigError(f"--topk is {list(topk)}; expected numbers from 1 to {num_classes}, the number of classes")
    text = report(first.about, measures, topk)
    if plot:
        reliability_diagram(Path(plot), measures.reliability(), f"{first.about['model']}, {first.about['protocol']}")
    if other:
        second = read_predictions(other)
        text += "\n\n" + comparison_report(first.about, second.about, compare(first, second))
    return text


def make_tables(results: str | Path | None = None, *, check: bool = False) -> list[Path]:
    """Regenerate the README's tables and the model cards from the index and the stored results.

    Args:
        results: folder of stored results; None: the repository's.
        check: change nothing.

    Returns:
        The documents that changed.

    Raises:
        ResultError: with ``check``, a document is stale; a stored result or a marker is broken; there is no document,
            as in an installed wheel.
    """
    from densezoo.results.cards import model_cards
    from densezoo.results.store import read_results
    from densezoo.results.tables import fill_tables

    for path in GENERATED:
        if not path.is_file():
            raise ResultError(
                f"{path}: there is no such document; the tables stand in README.md and docs/models/ of densezoo's "
                "repository, which an installed package doesn't have: run tools/make_tables.py in a clone"
            )
    stored, specs = read_results(results or RESULTS), load_index()
    documents = {CARDS / f"{arch}.md": text for arch, text in model_cards(specs.values(), stored).items()}
    for path in GENERATED:
        documents[path] = fill_tables(path.read_text(encoding="utf-8"), str(path), specs, stored)
    orphans = set(CARDS.glob("*.md")) - set(documents)
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    changed = sorted([*stale, *orphans])
    if changed and check:
        names = ", ".join(relative_to_root(path) for path in changed)
        raise ResultError(f"{names}: not what index and results say; run tools/make_tables.py")
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, documents[path])
    for path in orphans:
        path.unlink()
    return changed


def _open_images(
    experiment: Experiment,
    data_root: str | Path | None,
    split: str,
    labels: str | Path | None = None,
    class_map: str | Path | None = None,
    subset: str | None = None,
) -> ImageSet:
    """The config's dataset, held against its model's number of classes."""
    from densezoo.data.datasets import open_dataset
    from densezoo.data.labels import check_labels

    images = open_dataset(experiment.dataset, data_root, split, labels=labels, class_map=class_map, subset=subset)
    check_labels(images.labels, [images.where(i) for i in range(len(images))], experiment.model.num_classes)
    return images


def _device(name: str | None) -> str:
    """The device that was asked for, or the GPU where there is one.

    Raises:
        ConfigError: torch doesn't know the device, or the machine doesn't have it.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: {str(error).partition(chr(10))[0]}") from None
    return name
