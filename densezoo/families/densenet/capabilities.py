"""One `DenseNetArchitecture`, three implementations: ours, timm's and torchvision's, with equal names of the tensors.

So with the same weights all three compute the same function, and the state_dict of one loads into another. What an
implementation has no means to express is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import stages
from densezoo.families.densenet.network import DenseNet


def build_model(arch: DenseNetArchitecture, builder: str = "densezoo") -> nn.Module:
    """A network with fresh weights: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes).

    Args:
        builder: a key of BUILDERS.

    Raises:
        UnknownNameError: no such builder.
        ConfigError: that builder can't express the architecture; names the fields.
    """
    if builder not in BUILDERS:
        raise UnknownNameError("builder", builder, BUILDERS)
    refused = BUILDERS[builder].refused(arch)
    if refused:
        raise ConfigError(f"builder {builder!r} can't express {', '.join(refused)}; use builder 'densezoo'")
    return BUILDERS[builder].build(arch)


@dataclass(frozen=True)
class Builder:
    """A way to build a network.

    Args:
        build: what builds it.
        takes: the `DenseNetArchitecture` fields that it can vary; every other one has to be densenet121's.
        refuses: {what else it can't vary: whether an architecture is so}.
    """

    build: Callable[[DenseNetArchitecture], nn.Module]
    takes: frozenset[str]
    refuses: Mapping[str, Callable[[DenseNetArchitecture], bool]] = field(default_factory=dict)

    def refused(self, arch: DenseNetArchitecture) -> list[str]:
        """What it can't express of an architecture."""
        values = [(entry, getattr(arch, entry.name)) for entry in dataclasses.fields(arch)]
        odd = [f"{e.name}={value!r}" for e, value in values if e.name not in self.takes and value != e.default]
        return odd + [text for text, is_so in self.refuses.items() if is_so(arch)]


def _timm(arch: DenseNetArchitecture) -> nn.Module:
    from timm.layers.blur_pool import BlurPool2d
    from timm.models.densenet import DenseNet as TimmDenseNet

    assert arch.bn_size is not None  # refused before
    network: nn.Module = TimmDenseNet(
        growth_rate=arch.growth_rate,
        block_config=arch.block_config,
        bn_size=arch.bn_size,
        stem_type="deep" if arch.stem == "deep" else "",
        aa_layer=BlurPool2d if arch.aa_layer else None,
        aa_stem_only=arch.aa_stem_only,
        in_chans=arch.in_chans,
        num_classes=arch.num_classes,
    )
    return _with_eps(network, arch.bn_eps)


def _torchvision(arch: DenseNetArchitecture) -> nn.Module:
    from torchvision.models import DenseNet as TorchvisionDenseNet

    network: nn.Module = TorchvisionDenseNet(
        growth_rate=arch.growth_rate,
        block_config=arch.block_config,
        num_init_features=arch.num_init_features,
        bn_size=arch.bn_size,
        num_classes=arch.num_classes,
    )
    return _with_eps(network, arch.bn_eps)


def _with_eps(network: nn.Module, eps: float) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
    return network


_COMMON = frozenset({"growth_rate", "block_config", "num_init_features", "bn_size", "bn_eps", "num_classes"})
_PLAIN: Mapping[str, Callable[[DenseNetArchitecture], bool]] = {
    "layers without bottleneck": lambda arch: arch.bn_size is None
}

BUILDERS: Mapping[str, Builder] = {
    "densezoo": Builder(DenseNet, frozenset(entry.name for entry in dataclasses.fields(DenseNetArchitecture))),
    # their dropout is after a layer's last convolution alone, ours after every one
    "timm": Builder(
        _timm,
        _COMMON | {"stem", "aa_layer", "aa_stem_only", "in_chans"},
        {
            **_PLAIN,
            "a stem other than 'imagenet' and 'deep'": lambda arch: arch.stem not in ("imagenet", "deep"),
            "num_init_features other than 2 x growth_rate": lambda arch: arch.num_init_features != 2 * arch.growth_rate,
        },
    ),
    "torchvision": Builder(_torchvision, _COMMON, _PLAIN),
}


def with_fresh_classifier(network: nn.Module, num_classes: int) -> nn.Module:
    """Replace the classifier of any builder's network: to fine-tune it on other classes."""
    classifier = network.classifier
    assert isinstance(classifier, nn.Linear)
    network.classifier = nn.Linear(classifier.in_features, num_classes)
    nn.init.zeros_(network.classifier.bias)
    return network


class FeatureMaps(nn.Module):
    """The features of a network that `build_model` made, stage by stage, as timm's ``features_only`` gives them.

    images (N, in_chans, H, W) -> [the stem's output before its pooling, that of every dense block but the last before
    its transition, that of the last after norm and ReLU], each (N, channels[i], H / reductions[i], W / reductions[i]).
    The tensors keep their names.

    Args:
        network: any builder's; it gives up its features.
        arch: what it was built from.
    """

    def __init__(self, network: nn.Module, arch: DenseNetArchitecture) -> None:
        super().__init__()
        features = network.features
        assert isinstance(features, nn.Sequential)
        self.features = features
        self.channels, self.reductions = zip(*stages(arch))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        names = [name for name, _ in self.features.named_children()]
        stem_end = "pool0" if "pool0" in names else "denseblock1"
        for name, module in self.features.named_children():
            if name == stem_end or name.startswith("transition"):
                maps.append(x)
            x = module(x)
        return [*maps, functional.relu(x)]
