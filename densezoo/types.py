"""The nouns of densezoo: frozen dataclasses that every folder speaks in, and nothing else.

Units: percentages are 0-100, sizes are bytes (or pixels, where a name says so), times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from densezoo.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

Stem = Literal["imagenet", "cifar", "deep"]


@dataclass(frozen=True)
class Architecture:
    """What fixes a DenseNet's function up to its weights. Defaults are densenet121's.

    Args:
        growth_rate: channels that each dense layer adds (k in the paper).
        block_config: dense layers in each block.
        num_init_features: channels after the stem.
        bn_size: channels of the 1x1 bottleneck, in growth rates; None: no bottleneck (a plain DenseNet).
        reduction: channels after a transition / channels before it, rounded down (theta in the paper).
        stem: ``imagenet``: 7x7 stride 2, norm, max pool; ``cifar``: one 3x3 convolution and nothing else;
            ``deep``: three 3x3 convolutions, the first with stride 2, norm after each, max pool (timm's "d").
        aa_layer: ``blurpool``: pooling in the stem is max pool with stride 1, then a blur with stride 2.
        aa_stem_only: False: the transitions blur too, in place of their average pooling.
        drop_rate: dropout after every convolution but the stem's (paper, section 4.2), in training only.
        bn_eps: epsilon of every batch norm.
        in_chans: channels of the input image.
        num_classes: rows of the classifier.

    Raises:
        ConfigError: a value out of its range.
    """

    growth_rate: int = 32
    block_config: tuple[int, ...] = (6, 12, 24, 16)
    num_init_features: int = 64
    bn_size: int | None = 4
    reduction: float = 0.5
    stem: Stem = "imagenet"
    aa_layer: Literal["blurpool"] | None = None
    aa_stem_only: bool = True
    drop_rate: float = 0.0
    bn_eps: float = 1e-5
    in_chans: int = 3
    num_classes: int = 1000

    def __post_init__(self) -> None:
        for name in ("growth_rate", "num_init_features", "in_chans", "num_classes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if not self.block_config or min(self.block_config) < 1:
            raise ConfigError(f"block_config is {self.block_config}; expected one or more blocks of 1 or more layers")
        if self.bn_size is not None and self.bn_size < 1:
            raise ConfigError(f"bn_size is {self.bn_size}; expected 1 or more, or None for no bottleneck")
        if not 0 < self.reduction <= 1:
            raise ConfigError(f"reduction is {self.reduction}; expected more than 0 and at most 1")
        if not 0 <= self.drop_rate < 1:
            raise ConfigError(f"drop_rate is {self.drop_rate}; expected 0 or more and less than 1")
        if not (self.bn_eps > 0 and math.isfinite(self.bn_eps)):
            raise ConfigError(f"bn_eps is {self.bn_eps}; expected a small positive number")
        if self.aa_layer and self.stem == "cifar" and self.aa_stem_only:
            raise ConfigError("aa_layer with stem 'cifar' needs aa_stem_only=False: that stem has no pooling to blur")


@dataclass(frozen=True)
class Protocol:
    """How an image file becomes the tensor that a network gets; a part of every result's identity.

    Args:
        name: what ``--protocol`` takes.
        source: the document or code that fixes it.
        decoder: library that turns bytes into RGB.
        exif: whether the EXIF orientation is applied.
        resize: short side in pixels; None: the image stays as it is.
        interpolation: None only without a resize.
        antialias: whether shrinking widens the filter.
        resize_backend: library that resamples.
        crop: side of the central square in pixels; None: no crop.
        crop_rounding: how (side - crop) / 2 becomes a whole offset: ``half_even`` is Python's ``round``.
        mean, std: one number a channel, in the units of value_range.
        value_range: what a pixel of 255 is before the mean is taken off, 1.0 or 255.0.
        channel_order: order in which the network gets the channels; ``L`` is one grey channel.
    """

    name: str
    source: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoder: Literal["pil"] = "pil"
    exif: bool = False
    resize: int | None = None
    interpolation: Literal["bilinear", "bicubic"] | None = None
    antialias: bool = True
    resize_backend: Literal["pil"] = "pil"
    crop: int | None = None
    crop_rounding: Literal["half_even", "floor", "ceil"] = "half_even"
    value_range: float = 1.0
    channel_order: Literal["RGB", "L"] = "RGB"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.channel_order) or len(self.std) != len(self.channel_order):
            raise ConfigError(f"protocol {self.name!r}: expected one mean and std a channel of {self.channel_order}")
        if (self.resize is None) != (self.interpolation is None):
            raise ConfigError(f"protocol {self.name!r}: resize and interpolation come together")
        if self.crop is not None and (self.resize is None or self.crop > self.resize):
            raise ConfigError(f"protocol {self.name!r}: crop {self.crop} needs a resize of at least that")


@dataclass(frozen=True)
class WeightSource:
    """One published file of weights.

    Args:
        framework: what wrote it ("torch", "torch7", ...).
        format: the file's format ("pickle", "safetensors", "t7", ...).
        url: where it is published; None for a file that ships with densezoo.
        path: where it ships, relative to the repository; None for a download.
        mirrors: further places of the same bytes.
        file_size: bytes, or None where nobody states it.
        sha256: 64 hex digits, or None where nobody states it.
        hash_prefix: the first digits of the sha256, where the file's name carries them.
        keymap: the table of `densezoo.checkpoints.keymaps` that names its tensors.
        license: SPDX name, or None where the publisher is silent.
        converted_from: where the publisher has the weights from.
        note: what a user has to know.
    """

    framework: str
    format: str
    url: str | None = None
    path: str | None = None
    mirrors: tuple[str, ...] = ()
    file_size: int | None = None
    sha256: str | None = None
    hash_prefix: str | None = None
    keymap: str | None = None
    license: str | None = None
    converted_from: str | None = None
    note: str | None = None

    def is_file(self, sha256: str) -> bool:
        """Whether a file with this sha256 (64 hex digits) is this file, as far as its publisher says."""
        if self.sha256 is not None:
            return self.sha256 == sha256
        return self.hash_prefix is not None and sha256.startswith(self.hash_prefix)


@dataclass(frozen=True)
class ReportedResult:
    """What a publisher claims for a model: percent, and where the claim stands."""

    dataset: str
    protocol: str
    top1: float
    top5: float | None
    published_by: str
    where: str
    note: str | None = None


@dataclass(frozen=True)
class ModelSpec:
    """Everything the index knows of one set of weights.

    Args:
        name: ``arch.tag``, such as ``densenet169.tv_in1k``.
        publisher: who published the weights or the figures; the collection's name in the metafile.
        config: the config file, relative to the repository; it owns the architecture.
        architecture: read from that config.
        protocol: the name of the protocol that the weights are used with.
        num_params: trainable parameters.
        flops: {convention: count} at the protocol's image size (FLOP conventions: docs/architecture.md).
        weights: the files, most direct one first.
        reported: what its publishers claim.
        paper: URL.
        code: URL.
        license: SPDX name.
        recipe: how it was trained, in the publisher's words: {field: value}.
        metafile: where this entry stands, relative to the repository.
    """

    name: str
    publisher: str
    config: str
    architecture: Architecture
    protocol: str
    num_params: int
    flops: Mapping[str, int]
    metafile: str
    weights: tuple[WeightSource, ...] = ()
    reported: tuple[ReportedResult, ...] = ()
    paper: str | None = None
    code: str | None = None
    license: str | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """What a reader found in a file, under the file's own names.

    Args:
        path: the file, for messages.
        format: "pytorch" or "safetensors".
        tensors: {name in the file: tensor on the CPU}.
        dropped: {kind of thing that is no weight of the model: how many}.
        metadata: further facts that the file states.
        semantics: {field of `Architecture`: its value}, where the file itself states it.
    """

    path: str
    format: str
    tensors: Mapping[str, Tensor]
    dropped: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    semantics: Mapping[str, object] = field(default_factory=dict)


ParamKind = Literal["conv", "norm", "linear"]


@dataclass(frozen=True)
class KeyMap:
    """How one source names the tensors of a DenseNet: data, not code.

    Args:
        name: the source.
        templates: {role of a layer (`densezoo.models.topology`): its names in this source}. ``{block}`` and
            ``{layer}`` count from 1, ``{block0}`` and ``{layer0}`` from 0. Of several names a file uses one.
        params: {kind of layer: {canonical parameter or statistic: its name in this source}}.
    """

    name: str
    templates: Mapping[str, tuple[str, ...]]
    params: Mapping[ParamKind, Mapping[str, str]]


@dataclass(frozen=True)
class ConversionReport:
    """What became of every tensor of a checkpoint; a conversion stands only if the last three are empty.

    Args:
        source: the name of the key table that fits best.
        format: the file's format.
        architecture: what the tensors were held against.
        matched: how many tensors found their place.
        dropped: {kind: how many} that are no weights of the model.
        missing: names the network needs and the file lacks, as the source would write them.
        unexpected: names in the file that the network has no place for.
        mismatched: {name: (expected shape, found shape)}.
    """

    source: str
    format: str
    architecture: Architecture
    matched: int
    dropped: Mapping[str, int]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether every tensor of the network is there, in its shape, and nothing else is."""
        return not (self.missing or self.unexpected or self.mismatched)


@dataclass(frozen=True)
class EvalResult:
    """One measurement with everything needed to repeat it; one JSON file in ``results/``.

    Args:
        model: the index's name for the weights, or ``<config>.<first digits of their sha256>``.
        config: the config that was run, relative to the repository where it lies in it.
        weights_sha256: sha256 of the checkpoint file.
        dataset: its name.
        dataset_fingerprint: sha256 over ids, labels and sizes of all images.
        protocol: the named preprocessing.
        num_samples: images scored.
        correct1, correct5: how many had the label first, or among the first five.
        top1, top5: percent.
        interval95: Wilson's 95 % interval of top1, percent.
        interval95_top5: the same of top5.
        backend, precision, device: what computed the logits.
        versions: {package: version}.
        commit: of the densezoo repository, ``+dirty`` with uncommitted changes; None outside one.
        date: UTC, ISO 8601.
        seconds: wall time of the evaluation loop.
    """

    model: str
    config: str
    weights_sha256: str
    dataset: str
    dataset_fingerprint: str
    protocol: str
    num_samples: int
    correct1: int
    correct5: int
    top1: float
    top5: float
    interval95: tuple[float, float]
    interval95_top5: tuple[float, float]
    backend: str
    precision: str
    device: str
    versions: Mapping[str, str]
    commit: str | None
    date: str
    seconds: float


@dataclass(frozen=True)
class Recipe:
    """How a config trains: SGD with Nesterov momentum and a learning rate that falls in steps or by a cosine.

    Args:
        epochs: passes over the training images.
        batch_size: images an optimiser step, over all processes.
        lr: the first learning rate.
        milestones: epochs after which the rate is multiplied by gamma; none: a cosine to zero.
        gamma: that factor.
        momentum, nesterov, weight_decay: of SGD.
        augmentation: ``none``; ``pad_crop_flip``: 4-pixel zero padding, random crop, mirror (the paper's "+");
            ``resized_crop_flip``: random area and aspect ratio, mirror; ``shift``: 1-pixel zero padding, random crop.
        seed: of weights, order and augmentation.
    """

    epochs: int
    batch_size: int
    lr: float = 0.1
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    augmentation: Literal["none", "pad_crop_flip", "resized_crop_flip", "shift"] = "none"
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """A config file, read: what is run.

    Args:
        name: the file's name without its ending.
        path: the file, relative to the repository where it lies in it.
        model: the architecture.
        dataset: a name of `densezoo.data.datasets`.
        protocol: a name of `densezoo.data.protocols`.
        train: the schedule, None where a config is for evaluation only.
    """

    name: str
    path: str
    model: Architecture
    dataset: str
    protocol: str
    train: Recipe | None = None
