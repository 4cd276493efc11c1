"""The architecture of a DenseNet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import ClassVar, Literal

from densezoo.errors import ConfigError
from densezoo.types import Architecture
from densezoo.types.architecture import check_size

Stem = Literal["imagenet", "cifar", "cifar_norm", "cifar_pool", "deep"]  # what configs and files call each of STEMS


@dataclass(frozen=True)
class StemLayout:
    """The layers before the first dense block.

    Args:
        convs: (side of the kernel, stride) of each convolution, px; all but the last have growth_rate channels.
        norms: whether a norm and a ReLU follow each convolution.
        pool: whether it ends with a 3x3 max pool of stride 2.
        words: how a model card describes it.
    """

    convs: tuple[tuple[int, int], ...]
    norms: bool
    pool: bool
    words: str

    @property
    def stride(self) -> int:
        """Image side / map side before the pool."""
        return prod(stride for _, stride in self.convs)

    @property
    def reduction(self) -> int:
        """Image side / map side in the first dense block."""
        return self.stride * (2 if self.pool else 1)


STEMS: Mapping[Stem, StemLayout] = {
    "imagenet": StemLayout(((7, 2),), norms=True, pool=True, words="a 7x7 convolution of stride 2"),
    "cifar": StemLayout(((3, 1),), norms=False, pool=False, words="a single 3x3 convolution"),
    "cifar_norm": StemLayout(((3, 1),), norms=True, pool=False, words="a single 3x3 convolution with norm and ReLU"),
    "cifar_pool": StemLayout(((3, 1),), norms=True, pool=True, words="a 3x3 convolution of stride 1"),
    "deep": StemLayout(
        ((3, 2), (3, 1), (3, 1)), norms=True, pool=True, words="three 3x3 convolutions, the first of stride 2"
    ),
}


@dataclass(frozen=True)
class DenseNetArchitecture(Architecture):
    """The fields that, with the weights, fix a DenseNet's function. Defaults are densenet121's.

    Args:
        growth_rate: channels that each dense layer adds (k in the paper).
        block_config: dense layers in each block.
        num_init_features: channels after the stem.
        bn_size: channels of the 1x1 bottleneck, in growth rates; None: no bottleneck (a plain DenseNet).
        reduction: channels after a transition / channels before it, rounded down (theta in the paper).
        stem: ``imagenet``: 7x7 stride 2, norm, max pool; ``cifar``: one 3x3 convolution and nothing else;
            ``cifar_norm``: that with norm and ReLU after it (TinyMS);
            ``cifar_pool``: that with the max pool, too (huyvnphan);
            ``deep``: three 3x3 convolutions, the first with stride 2, norm after each, max pool (timm's "d").
        aa_layer: ``blurpool``: pooling in the stem is max pool with stride 1, then a blur with stride 2.
        aa_stem_only: False: the transitions blur, too, in place of their average pooling.
        drop_rate: dropout after every convolution but the stem's (paper, section 4.2), in training only.
        bn_eps: epsilon of every batch norm.
        transition_pool: the pooling in a transition (``max``: mindvision).
        stem_padding: of the stem's first convolution: ``torch``: half the kernel's side on every side; ``same``: as
            many zeros that ceil(side / stride) pixels come out, the odd one after (KerasCV, pudae).
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

    family: ClassVar[str] = "densenet"

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
    stem_padding: Literal["torch", "same"] = "torch"
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
        self._check_size()
        if not 0 < self.reduction <= 1:
            raise ConfigError(f"reduction is {self.reduction}; expected more than 0 and at most 1")
        if not 0 <= self.drop_rate < 1:
            raise ConfigError(f"drop_rate is {self.drop_rate}; expected 0 or more and less than 1")
        if not (self.bn_eps > 0 and isfinite(self.bn_eps)):
            raise ConfigError(f"bn_eps is {self.bn_eps}; expected a small positive number")
        if self.head_pool is not None and self.head_pool < 1:
            raise ConfigError(f"head_pool is {self.head_pool}; expected 1 or more, or None for the whole map")
        if self.aa_layer and not self.stem_layout.pool and self.aa_stem_only:
            raise ConfigError(f"aa_layer with stem {self.stem!r} needs aa_stem_only=False: it has no pooling to blur")
        if self.aa_layer and (self.ceil_mode or self.pool_padding == "same"):
            raise ConfigError("aa_layer replaces the pools that ceil_mode and pool_padding are about; give one of them")

    def _check_size(self) -> None:
        depth = sum(self.block_config)
        channels = {"in_chans": self.in_chans, "num_classes": self.num_classes}
        channels["num_init_features, growth_rate and block_config"] = self.num_init_features + depth * self.growth_rate
        channels["bn_size and growth_rate"] = (self.bn_size or 1) * self.growth_rate
        check_size(depth, channels)

    @property
    def stem_layout(self) -> StemLayout:
        """The layers before the first dense block."""
        return STEMS[self.stem]

    def same_function(self) -> DenseNetArchitecture:
        """The same network as far as its outputs go: without dropout, with the stem's rounding spelled out."""
        rounding = self.ceil_mode if self.stem_ceil_mode is None else self.stem_ceil_mode
        padding: Literal["torch", "same"] = "torch" if self.stem_layout.convs[0][1] == 1 else self.stem_padding
        return dataclasses.replace(self, drop_rate=0.0, stem_ceil_mode=rounding, stem_padding=padding)
