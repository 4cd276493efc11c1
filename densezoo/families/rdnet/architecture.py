"""The architecture of an RDNet."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from densezoo.errors import ConfigError
from densezoo.types import Architecture
from densezoo.types.architecture import check_size

MAX_PATCH = 256  # px


@dataclass(frozen=True)
class RDNetArchitecture(Architecture):
    """The fields that, with the weights, fix an RDNet's function. Defaults are rdnet_tiny's.

    Source: https://github.com/naver-ai/rdnet rdnet/rdnet.py; stages and their indexes count from 0.

    Args:
        growth_rates: channels that each layer of a stage adds, one number a stage.
        block_config: dense layers in each stage.
        num_init_features: channels after the stem.
        expansion: channels between the two 1x1 convolutions of a layer / channels that come in, rounded down to 8.
        reduction: channels after a transition / channels before it, rounded down to 8.
        patch_size: side and stride of the stem's convolution, px.
        downsample: stages whose transition halves the resolution; the first stage has no transition.
        attention: stages whose layers end in a channel attention.
        norm_eps: epsilon of every layer norm but the head's.
        head_norm_eps: epsilon of the layer norm before the classifier (NAVER's file: 1e-5; timm: 1e-6).
        drop_rate: dropout before the classifier, in training only.
        drop_path_rate: stochastic depth of the last stage's layers, rising from 0 by stages, in training only.
        in_chans: channels of the input image.
        num_classes: rows of the classifier.

    Raises:
        ConfigError: a value out of its range.
    """

    family: ClassVar[str] = "rdnet"

    growth_rates: tuple[int, ...] = (64, 104, 128, 128, 128, 128, 224)
    block_config: tuple[int, ...] = (3, 3, 3, 3, 3, 3, 3)
    num_init_features: int = 64
    expansion: float = 4.0
    reduction: float = 0.5
    patch_size: int = 4
    downsample: tuple[int, ...] = (1, 2, 6)
    attention: tuple[int, ...] = (2, 3, 4, 5, 6)
    norm_eps: float = 1e-6
    head_norm_eps: float = 1e-6
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    in_chans: int = 3
    num_classes: int = 1000

    def __post_init__(self) -> None:
        stages = len(self.growth_rates)
        for name in ("num_init_features", "patch_size", "in_chans", "num_classes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("growth_rates", "block_config"):
            values = getattr(self, name)
            if not values or min(values) < 1 or len(values) != stages:
                raise ConfigError(f"{name} is {values}; expected a number of 1 or more for each of {stages} stages")
        for name, first in (("downsample", 1), ("attention", 0)):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or not all(first <= stage < stages for stage in values):
                raise ConfigError(f"{name} is {values}; expected rising indexes of stages from {first} to {stages - 1}")
        for name in ("expansion", "norm_eps", "head_norm_eps"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a positive number")
        self._check_size()
        if not 0 < self.reduction <= 1:
            raise ConfigError(f"reduction is {self.reduction}; expected more than 0 and at most 1")
        for name in ("drop_rate", "drop_path_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more and less than 1")

    def _check_size(self) -> None:
        layers = sum(self.block_config)
        added = sum(depth * growth_rate for depth, growth_rate in zip(self.block_config, self.growth_rates))
        widest = self.num_init_features + added
        channels = {"in_chans": self.in_chans, "num_classes": self.num_classes}
        check_size(layers, {**channels, "num_init_features, growth_rates and block_config": widest})
        check_size(layers, {"the same times expansion": widest * self.expansion})
        if self.patch_size > MAX_PATCH:
            raise ConfigError(f"patch_size is {self.patch_size}; expected {MAX_PATCH} at the most")

    def same_function(self) -> RDNetArchitecture:
        """The same network as far as its outputs go: without dropout and stochastic depth."""
        return dataclasses.replace(self, drop_rate=0.0, drop_path_rate=0.0)

    def transition_stride(self, stage: int) -> int:
        """Side and stride of the convolution before a stage, px: 2 if it halves the map, else 1.

        Args:
            stage: its index, from 0.
        """
        return 2 if stage in self.downsample else 1
