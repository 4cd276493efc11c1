"""Dense connections in modern layers: DenseNets Reloaded, Kim, Heo, Han, https://arxiv.org/abs/2403.19588."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from densezoo.families.base import Fact, Family
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.types import Checkpoint, Computation, Freedom, KeyMap, Layer, NamedNetwork

if TYPE_CHECKING:
    from torch import nn

    from densezoo.families.naming import Naming
    from densezoo.families.systems import System


class _RDNets(Family[RDNetArchitecture]):
    name = "rdnet"
    title = "RDNet"
    anchor = ("layer.depthwise", 1, 1)
    inferred = (
        "growth_rates", "block_config", "num_init_features", "expansion", "reduction", "patch_size", "downsample",
        "attention", "in_chans", "num_classes",
    )  # fmt: skip
    sizes = ("growth_rates", "block_config")
    head = ("final.norm", "classifier")

    @property
    def architecture(self) -> type[RDNetArchitecture]:
        return RDNetArchitecture

    def layers(self, arch: RDNetArchitecture) -> Iterable[Layer]:
        from densezoo.families.rdnet.layers import layers

        return layers(arch)

    def network(self, arch: RDNetArchitecture, *, draw_weights: bool = True) -> nn.Module:
        from densezoo.families.rdnet.network import RDNet

        return RDNet(arch, draw_weights=draw_weights)

    @property
    def keymaps(self) -> Sequence[KeyMap]:
        from densezoo.families.rdnet.keymaps import KEYMAPS

        return KEYMAPS

    def kind_of(self, role: str) -> str:
        from densezoo.families.rdnet.layers import kind_of

        return kind_of(role)

    def numbers(self, block: int, layer: int, rank: int) -> Mapping[str, int]:
        from densezoo.families.rdnet.layers import numbers

        return numbers(block, layer, rank)

    def named_networks(self, checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
        from densezoo.families.rdnet.timm import named_networks

        return named_networks(checkpoint)

    def infer(self, naming: Naming) -> RDNetArchitecture:
        from densezoo.families.rdnet.infer import infer_architecture

        return infer_architecture(naming)

    def computation(self, arch: RDNetArchitecture) -> Computation:
        from densezoo.families.rdnet.computation import computation

        return computation(arch)

    @property
    def freedom(self) -> Freedom:
        from densezoo.families.rdnet.computation import FREEDOM

        return FREEDOM

    def same_function(self, arch: RDNetArchitecture) -> RDNetArchitecture:
        return dataclasses.replace(arch, drop_rate=0.0, drop_path_rate=0.0)

    @property
    def systems(self) -> Mapping[str, System[RDNetArchitecture]]:
        from densezoo.families.rdnet.capabilities import SYSTEMS

        return SYSTEMS

    def smallest_side(self, arch: RDNetArchitecture) -> int:
        from densezoo.families.rdnet.layers import smallest_side

        return smallest_side(arch)

    def stages(self, arch: RDNetArchitecture) -> Sequence[tuple[int, int]]:
        from densezoo.families.rdnet.layers import stages

        return stages(arch)

    def feature_maps(self, network: nn.Module, arch: RDNetArchitecture) -> nn.Module:
        from densezoo.families.rdnet.features import FeatureMaps

        return FeatureMaps(network, arch)

    def with_fresh_classifier(self, network: nn.Module, num_classes: int) -> nn.Module:
        from densezoo.families.rdnet.features import with_fresh_classifier

        return with_fresh_classifier(network, num_classes)

    @property
    def fields(self) -> Mapping[str, tuple[str, Callable[[RDNetArchitecture], Fact]]]:
        from densezoo.families.rdnet.card import FIELDS

        return FIELDS

    def summary(self, arch: RDNetArchitecture) -> str:
        from densezoo.families.rdnet.card import summary

        return summary(arch)

    @property
    def citation(self) -> str:
        from densezoo.families.rdnet.card import CITATION

        return CITATION


FAMILY = _RDNets()
