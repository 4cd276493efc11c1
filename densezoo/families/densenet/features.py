"""Feature maps and fresh classifiers of any system's DenseNet module."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import stages
from densezoo.families.feature_maps import StageMaps


def with_fresh_classifier(network: nn.Module, num_classes: int) -> nn.Module:
    """Replace the classifier of a network by a fresh one, to fine-tune it on other classes.

    Args:
        network: any builder's.
        num_classes: rows of the new classifier.
    """
    classifier = network.classifier
    assert isinstance(classifier, nn.Linear)
    network.classifier = nn.Linear(classifier.in_features, num_classes)
    nn.init.zeros_(network.classifier.bias)
    return network


class FeatureMaps(StageMaps):
    """The features of any builder's network, stage by stage, as timm's ``features_only`` gives them.

    images (N, in_chans, H, W) -> [the stem's output before its pooling, that of every dense block but the last before
    its transition, that of the last after norm and ReLU], each (N, channels[i], H / reductions[i], W / reductions[i]).
    The tensors keep their names.

    Args:
        network: any builder's; its modules become this module's.
        arch: its architecture.
    """

    def __init__(self, network: nn.Module, arch: DenseNetArchitecture) -> None:
        features = network.features
        assert isinstance(features, nn.Sequential)
        names = [name for name, _ in features.named_children()]
        after_stem = "pool0" if "pool0" in names else "denseblock1"
        starts = [at for at, name in enumerate(names) if name == after_stem or name.startswith("transition")]
        super().__init__(stages(arch), [f"features.{names[at - 1]}" for at in (*starts, len(names))])
        self.features, self._starts = features, frozenset(names[at] for at in starts)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for name, module in self.features.named_children():
            if name in self._starts:  # what comes after a stage
                maps.append(x)
                if self.is_done(maps):
                    return self.chosen(maps)
            x = module(x)
        return self.chosen([*maps, functional.relu(x)])
