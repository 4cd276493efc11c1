"""The nouns of densezoo: frozen dataclasses that every folder speaks in, and nothing else.

Units: percentages are 0-100, sizes are bytes (or pixels, where a name says so), times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from densezoo.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

KnownBy = Literal["published-hash", "first-use-hash", "user"]
Stem = Literal["imagenet", "cifar", "cifar_norm", "deep"]


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
            ``cifar_norm``: that with norm and ReLU after it (TinyMS);
            ``deep``: three 3x3 convolutions, the first with stride 2, norm after each, max pool (timm's "d").
        aa_layer: ``blurpool``: pooling in the stem is max pool with stride 1, then a blur with stride 2.
        aa_stem_only: False: the transitions blur too, in place of their average pooling.
        drop_rate: dropout after every convolution but the stem's (paper, section 4.2), in training only.
        bn_eps: epsilon of every batch norm.
        transition_pool: what halves the resolution in a transition (``max``: mindvision).
        pool_padding: of the stem's pool: ``torch``: 1 on every side; ``same``: 1 after and, where the map is odd,
            1 before (mindvision).
        ceil_mode: every pool keeps a last, incomplete window (Caffe, MXNet's "full", TensorFlow's "same").
        stem_ceil_mode: the same for the stem's pool alone; None: as ceil_mode (False: shicai's Caffe networks).
        head_pool: side of the last average pool, px (7: Gluon; 8: CIFAR ports); None: over the whole map.
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
    transition_pool: Literal["avg", "max"] = "avg"
    pool_padding: Literal["torch", "same"] = "torch"
    ceil_mode: bool = False
    stem_ceil_mode: bool | None = None
    head_pool: int | None = None
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
        if self.head_pool is not None and self.head_pool < 1:
            raise ConfigError(f"head_pool is {self.head_pool}; expected 1 or more, or None for the whole map")
        if self.aa_layer and self.stem.startswith("cifar") and self.aa_stem_only:
            raise ConfigError(f"aa_layer with stem {self.stem!r} needs aa_stem_only=False: it has no pooling to blur")
        if self.aa_layer and (self.ceil_mode or self.pool_padding == "same"):
            raise ConfigError("aa_layer replaces the pools that ceil_mode and pool_padding are about; give one of them")


@dataclass(frozen=True)
class Protocol:
    """How an image file becomes the tensor that a network gets; a part of every result's identity.

    Args:
        name: what ``--protocol`` takes.
        source: the document or code that fixes it, and what is not known of it.
        decoder: what turns bytes into RGB (`densezoo.data.decoding`).
        exif: whether the EXIF orientation is applied.
        resize: short side in pixels; None: the image stays as it is.
        interpolation: None only without a resize.
        antialias: whether shrinking widens the filter.
        resize_backend: library that resamples (`densezoo.data.resampling`).
        crop: side of the central square in pixels; None: no crop.
        crop_rounding: how (side - crop) / 2 becomes a whole offset: ``half_even`` is Python's ``round``.
        mean, std: one number a channel, in the units of value_range and the order of channel_order.
        value_range: what a pixel of 255 is before the mean is taken off, 1.0 or 255.0.
        channel_order: order in which the network gets the channels; ``L`` is one grey channel.

    Raises:
        ConfigError: fields that contradict each other, or that no library does together.
    """

    name: str
    source: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoder: Literal["pil", "cv2.imread", "cv2.imdecode", "torch7", "mindspore"] = "pil"
    exif: bool = False
    resize: int | None = None
    interpolation: Literal["bilinear", "bicubic"] | None = None
    antialias: bool = True
    resize_backend: Literal["pil", "cv2", "torch7"] = "pil"
    crop: int | None = None
    crop_rounding: Literal["half_even", "floor", "ceil"] = "half_even"
    value_range: float = 1.0
    channel_order: Literal["RGB", "BGR", "L"] = "RGB"

    def __post_init__(self) -> None:
        channels, sampler = len(self.channel_order), self.resize_backend
        contradictions = {
            f"expected {channels} means and deviations": {len(self.mean), len(self.std)} != {channels},
            "resize and interpolation come together": (self.resize is None) != (self.interpolation is None),
            f"crop {self.crop} needs a resize of at least that": (self.crop or 0) > (self.resize or 0),
            f"{self.decoder} knows no EXIF": self.exif and self.decoder in ("torch7", "mindspore"),
            f"{self.decoder} has no grey channel alone": channels == 1 and self.decoder != "pil",
            f"antialias is {self.antialias}, and {sampler} can't": self.antialias != (sampler == "pil"),
            f"torch7 has no {self.interpolation}": sampler == "torch7" and self.interpolation != "bicubic",
            "torch7 resizes to pixels in 0..1": sampler == "torch7" and self.value_range != 1.0,
        }
        for reason, found in contradictions.items():
            if found:
                raise ConfigError(f"protocol {self.name!r}: {reason}")


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
        keymap: the table of `densezoo.families.densenet.keymaps` that names its tensors.
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

    @property
    def is_hashed(self) -> bool:
        """Whether its publisher states a hash, whole or in part."""
        return self.sha256 is not None or self.hash_prefix is not None

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
    """Everything the index knows of one set of weights, from every publisher that speaks of them.

    Args:
        name: ``arch.tag``, such as ``densenet169.tv_in1k``.
        publisher: who published the weights or the figures first; the collection's name in the metafile.
        config: the config file, relative to the repository; it owns the architecture.
        architecture: read from that config.
        protocol: the name of the protocol that the weights are used with.
        num_params: trainable parameters.
        flops: {convention: count} (FLOP conventions: `densezoo.families.flops`).
        metafiles: where its entries stand, relative to the repository.
        image_size: side in pixels of the square image that the FLOPs are counted at.
        aliases: older names and other publishers' names.
        named_by: {alias: the publisher whose name it is}.
        weights: the files, most direct one first.
        reported: what its publishers claim.
        port_of: the name of the model whose weights these are, converted to another framework; None: trained so.
        paper: URL.
        code: URL.
        license: SPDX name.
        recipe: how it was trained, as its publishers state it: {field ("batch size", "LR"): value}.
    """

    name: str
    publisher: str
    config: str
    architecture: Architecture
    protocol: str
    num_params: int
    flops: Mapping[str, int]
    metafiles: tuple[str, ...]
    image_size: int | None = None
    aliases: tuple[str, ...] = ()
    weights: tuple[WeightSource, ...] = ()
    reported: tuple[ReportedResult, ...] = ()
    port_of: str | None = None
    paper: str | None = None
    code: str | None = None
    license: str | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)
    named_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def arch(self) -> str:
        """The name before the dot."""
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """The name after the dot: whose training."""
        return self.name.partition(".")[2]

    @property
    def headline(self) -> ReportedResult | None:
        """The first figure that is published under the weights' own protocol, or else the first published one."""
        own = (result for result in self.reported if result.protocol == self.protocol)
        return next(own, self.reported[0] if self.reported else None)


@dataclass(frozen=True)
class GraphNode:
    """One step of the computation that a file describes, in the terms of `densezoo.families.densenet.graph`.

    Args:
        op: ``input``, ``conv``, ``norm``, ``relu``, ``max_pool``, ``avg_pool``, ``global_avg_pool``, ``concat``,
            ``flatten``, ``linear``, ``softmax``, ``identity``, ``pad``, ``scale``, or the file's own word for a step
            that no DenseNet has.
        name: the step's name; other steps refer to it.
        inputs: names of the steps whose outputs it takes, parameters left out.
        attributes: ``eps``; ``kernel``, ``stride``, ``dilation``: (height, width); ``pads``: (top, left, bottom,
            right); ``groups``; ``ceil_mode``; ``count_include_pad``; ``columns``: of a flatten that may make
            another number of rows than there are images. What is absent has the usual value.
        weights: the file's names of the tensors that it takes, in `Layer.shapes`' order, or of the layers (before
            ``.`` or ``/``) they are in.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class TimmNetwork:
    """The network that stands beside a file's tensors by timm's name for it.

    Args:
        where: what names it, for messages.
        name: timm's, without a tag.
        arguments: of ``timm.create_model`` beside the name.
        fields: {field of `Architecture`: its value in the network that timm builds}; None: no DenseNet of ours.
    """

    where: str
    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What a reader found in a file, under the file's own names.

    Args:
        path: the file, for messages.
        format: what it is: "pytorch", "safetensors", "keras-h5", ...
        tensors: {name in the file: tensor on the CPU}, in the file's order.
        dropped: {kind of thing that is no weight of the model: how many}.
        metadata: further facts that the file states.
        source: the system, where the reader knows it; None where the names tell.
        semantics: {field of `Architecture`: its value, as the file states it}.
        graph: the computation, where the file (or the description beside it) holds it; else empty.
        hints: what the reader used beside the tensors, in words.
        described: what names the network beside the tensors: a config.json, a run's arguments.
    """

    path: str
    format: str
    tensors: Mapping[str, Tensor]
    dropped: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    semantics: Mapping[str, object] = field(default_factory=dict)
    graph: tuple[GraphNode, ...] = ()
    hints: tuple[str, ...] = ()
    described: tuple[TimmNetwork, ...] = ()


ParamKind = Literal["conv", "norm", "linear"]


@dataclass(frozen=True)
class Param:
    """How one parameter or statistic is made from a source's tensors.

    Args:
        ends: what the source appends to the layer's name, one for each tensor that the operation takes.
        op: a name of `densezoo.families.operations.OPERATIONS`.
    """

    ends: tuple[str, ...]
    op: str = "identity"


@dataclass(frozen=True)
class KeyMap:
    """How one source names the tensors of a DenseNet, and what it computes with them: data, not code.

    Args:
        name: the source.
        templates: {role of a layer (`densezoo.families.densenet.layers`): its names in this source}; the numbers in
            braces are those of `densezoo.families.densenet.keymaps.numbers`. Of several names a file uses one.
        params: {kind of layer: {canonical parameter or statistic: how it is made}}.
        semantics: {field of `Architecture`: its value in this source, unless the file says otherwise}.
        protocol: the named preprocessing that the source's networks expect.
        notes: what a user has to know of every network of this source.
        assumes: what a file without a computation leaves open, and how it is taken.
        requires: {key of a checkpoint's metadata: value} without which the table doesn't apply.
        asks: {stem: (field of `Architecture` in which this source's networks of that stem differ and their tensors
            don't, {its value: the networks that have it})}: what neither file nor caller says of it can't be known.
    """

    name: str
    templates: Mapping[str, tuple[str, ...]]
    params: Mapping[ParamKind, Mapping[str, Param]]
    semantics: Mapping[str, object] = field(default_factory=dict)
    protocol: str | None = None
    notes: tuple[str, ...] = ()
    assumes: str = "as this source publishes it"
    requires: Mapping[str, str] = field(default_factory=dict)
    asks: Mapping[Stem, tuple[str, Mapping[str | None, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class ConversionReport:
    """What became of every tensor of a checkpoint; a conversion stands only if the last three are empty.

    Args:
        source: the system that the file is of: its key table's name, or what its reader knows.
        format: the file's format.
        architecture: what the tensors were held against.
        matched: how many tensors found their place.
        dropped: {kind: how many} that are no weights of the model.
        hints: where every choice that no tensor shows comes from: the file, the caller, the source's table.
        protocol: the source's preprocessing, None where the table has none.
        missing: names the network needs and the file lacks, as the source would write them.
        unexpected: names in the file that the network has no place for.
        mismatched: {name: (expected shape, found shape)}.
    """

    source: str
    format: str
    architecture: Architecture
    matched: int
    dropped: Mapping[str, int]
    hints: tuple[str, ...] = ()
    protocol: str | None = None
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether every tensor of the network is there, in its shape, and nothing else is."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        arch = self.architecture
        lines = [
            f"{self.source} names in a {self.format} file",
            f"  architecture: {', '.join(f'{key}={value}' for key, value in vars(arch).items())}",
            f"  tensors: {self.matched} matched"
            + "".join(f", {count} dropped ({kind})" for kind, count in self.dropped.items()),
        ]
        lines += [f"  {hint}" for hint in self.hints]
        return "\n".join(lines)


@dataclass(frozen=True)
class Coverage:
    """What became of every id of a dataset; a run that lost an image or scored one twice gives no result.

    Args:
        expected: ids of the dataset.
        scored: images that the network answered.
        unreadable: ids of those that can't be read and are counted wrong (``--on-error count-wrong``).
        duplicated: ids that were scored more than once.
        truncated: ids of those whose end is missing, which the protocol's library read all the same.
    """

    expected: int
    scored: int
    unreadable: tuple[str, ...]
    duplicated: int
    truncated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conditions:
    """Under what a network is measured: with its weights, all that tells one measurement from another.

    Its text is ``<protocol>[+<subset>][+<tta>][+<backend>][+<precision>]``, without what is usual.

    Args:
        dataset, protocol, subset, tta, backend, precision: as in `EvalResult`.
    """

    dataset: str
    protocol: str
    subset: str | None = None
    tta: str | None = None
    backend: str = "eager"
    precision: str = "float32"

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Conditions:
        """Those among the fields of an `EvalResult`; what is not there is usual."""
        return cls(**{each.name: facts[each.name] for each in fields(cls) if each.name in facts})

    def __str__(self) -> str:
        usual = {None, Conditions.backend, Conditions.precision}
        unusual = [name for name in (self.subset, self.tta, self.backend, self.precision) if name not in usual]
        return "+".join([self.protocol, *map(str, unusual)])


@dataclass(frozen=True)
class EvalResult:
    """One measurement with everything needed to repeat it; one JSON file in ``results/``.

    Args:
        model: the index's name for the weights, or ``<config>.<first digits of their sha256>``.
        config: the config that was run, relative to the repository where it lies in it.
        weights_sha256: sha256 of the checkpoint file.
        dataset: its name.
        dataset_fingerprint: sha256 over ids, labels and contents of all images.
        protocol: the named preprocessing.
        num_samples: images scored or counted wrong: all of the dataset's.
        correct1, correct5: how many had the label first, or among the first five.
        top1, top5: percent.
        interval95: Wilson's 95 % interval of top1, percent.
        interval95_top5: the same of top5.
        backend, precision, device: what computed the logits.
        versions: {package: version}.
        commit: of the densezoo repository, ``+dirty`` with uncommitted changes; None outside one.
        date: UTC, ISO 8601.
        seconds: wall time of the evaluation loop, over all parts of a run that was resumed.
        coverage: what became of every id; None in a result older than this field, as are the next two.
        loss: mean cross-entropy, nats, over the images that could be read.
        calibration_error: expected calibration error over 15 bins, percent.
        tta: the test-time augmentation (`densezoo.data.views`) whose logits were summed; None: each image once.
        subset: which of the dataset's several sets: ImageNet-C's "gaussian_noise/3"; None: the dataset is one set.
        weights_known_by: how it is known that the weights are the model's: ``published-hash``: by the sha256 that its
            publisher states; ``first-use-hash``: by the one that the file had when it was first fetched for that
            name; ``user``: whoever measured said so. None: they are no model's of the index, or the result is older.
        architecture: the fields of the network that was run, as config and overrides have them; None in a result older
            than this field.
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
    coverage: Coverage | None = None
    loss: float | None = None
    calibration_error: float | None = None
    tta: str | None = None
    subset: str | None = None
    weights_known_by: KnownBy | None = None
    architecture: Mapping[str, object] | None = None

    @property
    def conditions(self) -> Conditions:
        """Under what it was measured."""
        return Conditions.of(vars(self))


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
        dataset: a name of `densezoo.data.layouts.datasets`.
        protocol: a name of `densezoo.protocols`.
        train: the schedule, None where a config is for evaluation only.
    """

    name: str
    path: str
    model: Architecture
    dataset: str
    protocol: str
    train: Recipe | None = None
