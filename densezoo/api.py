"""The composition root: the only module that joins the parts. Each function here is one command of ``tools/``.

Importing it imports no torch; what needs torch is imported where it is used.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.config import load_config
from densezoo.data.protocols import get_protocol
from densezoo.errors import ConfigError, DownloadError, MetafileError, ResultError, suggestion
from densezoo.index.load import find_by_sha256, get_spec, load_index
from densezoo.index.select import select
from densezoo.paths import ROOT, relative_to_root
from densezoo.types import Architecture, ConversionReport, EvalResult, Experiment, ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from densezoo.data.images import ImageSet
    from densezoo.evaluation.metrics import Counts
    from densezoo.models.densenet import DenseNet

__all__ = [
    "check_index",
    "create_model",
    "evaluate_checkpoint",
    "fetch_weights",
    "get_spec",
    "list_models",
    "load_checkpoint",
    "make_tables",
    "train_config",
    "verify_weights",
]

RESULTS = ROOT / "results"
DEMO = (
    ROOT / "configs/digits/densenet_bc_22_8_digits.py",
    ROOT / "configs/digits/densenet_bc_22_8_digits.safetensors",
)
GENERATED = (ROOT / "README.md",)  # documents with tables in them
CARDS = ROOT / "docs/models"  # a page an architecture, generated whole


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
        features_only: give the feature maps of every stage in place of logits (`densezoo.models.builders.FeatureMaps`).

    Raises:
        UnknownNameError: no such model or builder.
        ConfigError: the builder can't express the architecture; weights are asked for that don't exist or don't fit.
        DownloadError, FormatError, CheckpointError: the weights can't be fetched, read or converted.
    """
    from densezoo.models.builders import FeatureMaps, build_model, with_fresh_classifier

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
        network = build_model(dataclasses.replace(arch, num_classes=own_classes), builder)
        network.load_state_dict(_pretrained(get_spec(architecture)))
        if arch.num_classes != own_classes:
            network = with_fresh_classifier(network, arch.num_classes)
    return FeatureMaps(network, arch) if features_only else network


def _architecture(name: str) -> Architecture:
    """Of a model of the index, or of the first one whose name begins with it and a dot."""
    first = next((spec for spec in load_index().values() if spec.arch == name), None)
    return (first or get_spec(name)).architecture


def _pretrained(spec: ModelSpec) -> Mapping[str, Tensor]:
    """The canonical state_dict of a model's published weights."""
    return load_checkpoint(fetch_weights(spec.name), spec.architecture)[0].state_dict()


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
    from densezoo.checkpoints.keymaps import KEYMAPS
    from densezoo.models.claims import contradictions

    keymaps = {keymap.name for keymap in KEYMAPS}
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
) -> tuple[DenseNet, ConversionReport]:
    """The network of a checkpoint file, in eval mode, and what became of every tensor.

    Args:
        architecture: what it has to be; None: what its tensors say.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no DenseNet, another one, or an incomplete one.
    """
    from densezoo.checkpoints.convert import convert
    from densezoo.formats.read import read_checkpoint
    from densezoo.models.densenet import DenseNet

    arch, state_dict, report = convert(read_checkpoint(path), architecture, **options)
    model = DenseNet(arch)
    model.load_state_dict(state_dict)
    return model.eval(), report


def evaluate_checkpoint(
    config: str | Path,
    checkpoint: str | Path,
    *,
    data_root: str | Path | None = None,
    protocol: str | None = None,
    batch_size: int = 64,
    workers: int = 2,
    device: str | None = None,
    launcher: str = "none",
    overrides: Mapping[str, object] | None = None,
    show_progress: bool = False,
) -> EvalResult:
    """Top-1 and top-5 of a checkpoint on its config's dataset.

    Args:
        data_root: folder or tar of the dataset; built-in datasets need none.
        protocol: its name; None: the protocol of the index's entry for these weights, or else the config's.
        batch_size: images a step, in each process.
        workers: processes that decode images; 0: none but this one.
        device: None: the GPU where there is one.
        launcher: "none", "pytorch", "slurm" or "mpi"; the images are shared out among the processes it started,
            and each of them returns the whole result.
        overrides: of config fields, {"model.bn_eps": 1e-4, ...}.

    Raises:
        DensezooError: one of its kinds for each thing that a user can mend.
    """
    from densezoo.evaluation import distributed
    from densezoo.evaluation.metrics import percent, wilson_interval
    from densezoo.formats.identity import file_sha256
    from densezoo.results import provenance

    experiment = load_config(config, overrides)
    model, _ = load_checkpoint(checkpoint, experiment.model)
    sha256 = file_sha256(checkpoint)
    spec = find_by_sha256(sha256)
    protocol = protocol or (spec.protocol if spec else experiment.protocol)
    images = _open_images(experiment, data_root, "test")
    device = _device(device)
    distributed.start(launcher, device)
    start = time.perf_counter()
    counts = _count(model, images, protocol, batch_size, workers, device, show_progress and distributed.is_main())
    seconds = time.perf_counter() - start
    return EvalResult(
        model=spec.name if spec else f"{experiment.name}.{sha256[:8]}",
        config=experiment.path,
        weights_sha256=sha256,
        dataset=experiment.dataset,
        dataset_fingerprint=images.fingerprint(),
        protocol=protocol,
        num_samples=counts.num_samples,
        correct1=counts.correct1,
        correct5=counts.correct5,
        top1=percent(counts.correct1, counts.num_samples),
        top5=percent(counts.correct5, counts.num_samples),
        interval95=wilson_interval(counts.correct1, counts.num_samples),
        interval95_top5=wilson_interval(counts.correct5, counts.num_samples),
        backend="eager",
        precision="float32",
        device=device,
        versions=provenance.versions(),
        commit=provenance.commit(ROOT),
        date=provenance.now(),
        seconds=round(seconds, 3),
    )


def train_config(
    config: str | Path,
    *,
    data_root: str | Path | None = None,
    work_dir: str | Path | None = None,
    workers: int = 2,
    device: str | None = None,
    launcher: str = "none",
    overrides: Mapping[str, object] | None = None,
) -> Path:
    """Train what a config describes; returns the checkpoint, ``<work_dir>/<config>.safetensors``.

    Args:
        work_dir: for logs and checkpoints; None: ``work_dirs/<config>``.
        data_root, workers, device, launcher, overrides: as for `evaluate_checkpoint`.

    Raises:
        DensezooError: one of its kinds for each thing that a user can mend.
    """
    from mmengine.runner import set_random_seed

    from densezoo.evaluation import distributed
    from densezoo.formats.safetensors import write_safetensors
    from densezoo.training.data import TrainingImages, augmentation
    from densezoo.training.run import train

    experiment = load_config(config, overrides)
    recipe, protocol = experiment.train, get_protocol(experiment.protocol)
    if recipe is None:
        raise ConfigError(f"{config}: has no 'train' entry; it is for evaluation only")
    images, held_out = (_open_images(experiment, data_root, split) for split in ("train", "test"))
    augment = augmentation(recipe.augmentation, protocol.crop)
    chosen_device = _device(device)
    distributed.start(launcher, chosen_device)
    set_random_seed(recipe.seed, deterministic=True)  # before the weights are drawn
    network = create_model(experiment.model)

    def evaluate(network: nn.Module) -> Mapping[str, float]:
        counts = _count(network, held_out, experiment.protocol, recipe.batch_size, 0, chosen_device, False)
        return counts.percentages()

    folder = Path(work_dir or Path("work_dirs") / experiment.name)
    training_images = TrainingImages(images, protocol, augment)
    train(network, training_images, recipe, evaluate=evaluate, work_dir=folder, workers=workers, launcher=launcher)
    path = folder / f"{experiment.name}.safetensors"
    if distributed.is_main():
        facts = {"architecture": dataclasses.asdict(experiment.model), "protocol": experiment.protocol}
        write_safetensors(path, network.state_dict(), {**facts, "config": experiment.path, "seed": recipe.seed})
    return path


def make_tables(results: str | Path = RESULTS, *, check: bool = False) -> list[Path]:
    """Regenerate the README's tables and the model cards from the index and the stored results.

    Returns:
        The documents that changed.

    Raises:
        ResultError: with ``check``, a document is stale; a stored result or a marker is broken.
    """
    from densezoo.results.cards import model_cards
    from densezoo.results.store import read_results, write_atomically
    from densezoo.results.tables import fill_tables

    stored, specs = read_results(results), load_index()
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


def _open_images(experiment: Experiment, data_root: str | Path | None, split: str) -> ImageSet:
    """The config's dataset, held against its model's number of classes."""
    from densezoo.data.datasets import open_dataset
    from densezoo.data.images import check_labels

    images = open_dataset(experiment.dataset, data_root, split)
    check_labels(images.labels, [images.where(i) for i in range(len(images))], experiment.model.num_classes)
    return images


def _count(
    model: nn.Module,
    images: ImageSet,
    protocol_name: str,
    batch_size: int,
    workers: int,
    device: str,
    show_progress: bool,
) -> Counts:
    """The counts over all images, the same in every process."""
    from densezoo.backends.eager import EagerBackend
    from densezoo.data.loading import batches
    from densezoo.evaluation import distributed
    from densezoo.evaluation.evaluator import evaluate

    protocol = get_protocol(protocol_name)
    backend = EagerBackend(model, protocol, device)
    indices = distributed.shard(len(images))
    pin = backend.device.type == "cuda"
    loader = batches(images, protocol, batch_size=batch_size, workers=workers, indices=indices, pin=pin)
    return distributed.reduce_counts(evaluate(backend, loader, indices, show_progress=show_progress))


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
