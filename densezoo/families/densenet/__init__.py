"""Densely connected networks with batch norm: Huang, Liu, van der Maaten, Weinberger, https://arxiv.org/abs/1608.06993."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from densezoo.families.base import Fact, Family, Position
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.types import Checkpoint, Computation, Freedom, KeyMap, Layer, NamedNetwork

if TYPE_CHECKING:
    from torch import nn

    from densezoo.families.naming import Naming
    from densezoo.families.systems import System


class _DenseNets(Family[DenseNetArchitecture]):
    name = "densenet"
    title = "DenseNet"
    anchor = ("layer.conv1", 1, 1)
    inferred = (
        "growth_rate", "block_config", "num_init_features", "bn_size", "reduction", "stem", "in_chans", "num_classes",
    )  # fmt: skip
    sizes = ("growth_rate", "block_config")
    fragments = (
        (r"^feat_extract\.denseblock1\.", "one of TIAToolbox's DenseNets, which have no ReLU after their last norm"),
        (r"(^|\.)dense_stages\.\d+\.\d+\.", "an RDNet (rdnet_tiny and its like), a descendant of the DenseNet"),
        (r"(^|\.)denseblock_\d+\.denselayer_\d+\.", "a CondenseNet, a descendant of the DenseNet"),
        (
            r"(^|[./])(?<!features[./])(denseblock1\.denselayer1|stages\.0\.block\.0)\.(norm1|norm\.1|layers\.norm1)\.weight$",
            "a DenseNet's features without their classifier",
        ),
    )

    @property
    def architecture(self) -> type[DenseNetArchitecture]:
        return DenseNetArchitecture

    def layers(self, arch: DenseNetArchitecture) -> Iterable[Layer]:
        from densezoo.families.densenet.layers import layers

        return layers(arch)

    def network(self, arch: DenseNetArchitecture, *, draw_weights: bool = True) -> nn.Module:
        from densezoo.families.densenet.network import DenseNet

        return DenseNet(arch, draw_weights=draw_weights)

    @property
    def keymaps(self) -> Sequence[KeyMap]:
        from densezoo.families.densenet.keymaps import KEYMAPS

        return KEYMAPS

    def kind_of(self, role: str) -> str:
        from densezoo.families.densenet.layers import kind_of

        return kind_of(role)

    def numbers(self, block: int, layer: int, rank: int) -> Mapping[str, int]:
        from densezoo.families.densenet.keymaps import numbers

        return numbers(block, layer, rank)

    def ranks(self, naming: Naming) -> Mapping[Position, int]:
        from densezoo.families.densenet.infer import ranks

        return ranks(naming)

    def infer(self, naming: Naming) -> DenseNetArchitecture:
        from densezoo.families.densenet.infer import infer_architecture

        return infer_architecture(naming)

    def fold_modules(self, checkpoint: Checkpoint) -> Checkpoint:
        if not checkpoint.modules:
            return checkpoint
        from densezoo.families.densenet.torch7 import fold_modules

        return fold_modules(checkpoint)

    def named_networks(self, checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
        from densezoo.families.densenet.timm import named_networks

        return named_networks(checkpoint)

    def computation(self, arch: DenseNetArchitecture) -> Computation:
        from densezoo.families.densenet.computation import computation

        return computation(arch)

    @property
    def freedom(self) -> Freedom:
        from densezoo.families.densenet.computation import FREEDOM

        return FREEDOM

    def same_function(self, arch: DenseNetArchitecture) -> DenseNetArchitecture:
        return arch.same_function()

    @property
    def systems(self) -> Mapping[str, System[DenseNetArchitecture]]:
        from densezoo.families.densenet.capabilities import SYSTEMS

        return SYSTEMS

    def smallest_side(self, arch: DenseNetArchitecture) -> int:
        from densezoo.families.densenet.layers import smallest_side

        return smallest_side(arch)

    def stages(self, arch: DenseNetArchitecture) -> Sequence[tuple[int, int]]:
        from densezoo.families.densenet.layers import stages

        return stages(arch)

    def feature_maps(self, network: nn.Module, arch: DenseNetArchitecture) -> nn.Module:
        from densezoo.families.densenet.features import FeatureMaps

        return FeatureMaps(network, arch)

    def with_fresh_classifier(self, network: nn.Module, num_classes: int) -> nn.Module:
        from densezoo.families.densenet.features import with_fresh_classifier

        return with_fresh_classifier(network, num_classes)

    @property
    def fields(self) -> Mapping[str, tuple[str, Callable[[DenseNetArchitecture], Fact]]]:
        from densezoo.families.densenet.card import FIELDS

        return FIELDS

    def summary(self, arch: DenseNetArchitecture) -> str:
        from densezoo.families.densenet.card import summary

        return summary(arch)

    @property
    def citation(self) -> str:
        from densezoo.families.densenet.card import CITATION

        return CITATION


FAMILY = _DenseNets()
