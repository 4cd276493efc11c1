"""Feature maps and fresh classifiers of any system's RDNet module."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from densezoo.families.feature_maps import StageMaps
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import stage_ends, stages


def with_fresh_classifier(network: Any, num_classes: int) -> nn.Module:
    """Replace the classifier of a network by a fresh one, to fine-tune it on other classes.

    Args:
        network: any builder's.
        num_classes: rows of the new classifier.
    """
    network.head.fc = nn.Linear(network.head.fc.in_features, num_classes)
    nn.init.zeros_(network.head.fc.bias)
    module: nn.Module = network
    return module


class FeatureMaps(StageMaps):
    """The features of any builder's network at the end of every resolution, as timm's ``features_only`` gives them.

    images (N, in_chans, H, W) -> [(N, channels[i], H / reductions[i], W / reductions[i]), ...]. The tensors keep their
    names.

    Args:
        network: any builder's; its modules become this module's.
        arch: its architecture.
    """

    def __init__(self, network: Any, arch: RDNetArchitecture) -> None:
        ends = [stage for stage, _, _ in stage_ends(arch)]
        super().__init__(stages(arch), [f"dense_stages.{stage}" for stage in ends])
        self.stem, self.dense_stages = network.stem, network.dense_stages
        self.ends = frozenset(ends)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        x = self.stem(x)
        for stage, module in enumerate(self.dense_stages):
            x = module(x)
            if stage in self.ends:
                maps.append(x)
                if self.is_done(maps):
                    break
        return self.chosen(maps)
