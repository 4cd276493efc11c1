"""The ordered parametric layers of a DenseNet, as plain data.

Whatever has to name, count or shape the tensors of a DenseNet asks here and needs no torch: the index (parameters),
the converter (every name and shape), the tests (which hold `densezoo.models.densenet` to it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from densezoo.types import Architecture, ParamKind

#: {role: canonical name}: torchvision's names. A source's key table maps the same roles to its own names.
CANONICAL_TEMPLATES = {
    "stem.conv0": "features.conv0",
    "stem.norm0": "features.norm0",
    "stem.conv1": "features.conv1",
    "stem.norm1": "features.norm1",
    "stem.conv2": "features.conv2",
    "stem.norm2": "features.norm2",
    "layer.norm1": "features.denseblock{block}.denselayer{layer}.norm1",
    "layer.conv1": "features.denseblock{block}.denselayer{layer}.conv1",
    "layer.norm2": "features.denseblock{block}.denselayer{layer}.norm2",
    "layer.conv2": "features.denseblock{block}.denselayer{layer}.conv2",
    "transition.norm": "features.transition{block}.norm",
    "transition.conv": "features.transition{block}.conv",
    "final.norm": "features.norm5",
    "classifier": "classifier",
}


@dataclass(frozen=True)
class Layer:
    """One layer that has parameters.

    Args:
        role: key of CANONICAL_TEMPLATES.
        in_channels, out_channels: equal for a norm.
        kernel_size: side of a convolution's kernel.
        block, index: dense block and layer in it, from 1; 0 where there is none. The final norm's block is the last.
    """

    role: str
    in_channels: int
    out_channels: int
    kernel_size: int = 1
    block: int = 0
    index: int = 0

    @property
    def kind(self) -> ParamKind:
        """What it is."""
        return kind_of(self.role)

    @property
    def name(self) -> str:
        """The canonical name, such as ``features.denseblock1.denselayer1.norm1``."""
        return CANONICAL_TEMPLATES[self.role].format(block=self.block, layer=self.index)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{parameter or running statistic: shape}; convolutions are OIHW and have no bias."""
        if self.kind == "conv":
            return {"weight": (self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)}
        if self.kind == "linear":
            return {"weight": (self.out_channels, self.in_channels), "bias": (self.out_channels,)}
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.out_channels,))


def kind_of(role: str) -> ParamKind:
    """The kind of layer that plays this role."""
    if role == "classifier":
        return "linear"
    return "norm" if ".norm" in role else "conv"


def layers(arch: Architecture) -> Iterator[Layer]:
    """Every parametric layer of the network, in the order in which the input meets them."""
    yield from _stem(arch)
    channels, growth = arch.num_init_features, arch.growth_rate
    for block, depth in enumerate(arch.block_config, start=1):
        for index in range(1, depth + 1):
            yield Layer("layer.norm1", channels, channels, 1, block, index)
            if arch.bn_size is None:
                yield Layer("layer.conv1", channels, growth, 3, block, index)
            else:
                width = arch.bn_size * growth
                yield Layer("layer.conv1", channels, width, 1, block, index)
                yield Layer("layer.norm2", width, width, 1, block, index)
                yield Layer("layer.conv2", width, growth, 3, block, index)
            channels += growth
        if block < len(arch.block_config):
            reduced = transition_channels(channels, arch.reduction)
            yield Layer("transition.norm", channels, channels, 1, block)
            yield Layer("transition.conv", channels, reduced, 1, block)
            channels = reduced
    yield Layer("final.norm", channels, channels, 1, len(arch.block_config))
    yield Layer("classifier", channels, arch.num_classes)


def transition_channels(channels: int, reduction: float) -> int:
    """Channels after a transition: floor(channels x reduction) in double precision, as the authors' code has it."""
    return int(channels * reduction)


def stages(arch: Architecture) -> list[tuple[int, int]]:
    """(channels, image side / map side) after the stem, before its pooling, and after every dense block."""
    side, width = (1 if arch.stem == "cifar" else 4), arch.num_init_features
    found = [(width, 1 if arch.stem == "cifar" else 2)]
    for depth in arch.block_config:
        width += depth * arch.growth_rate
        found.append((width, side))
        width, side = transition_channels(width, arch.reduction), 2 * side
    return found


def _stem(arch: Architecture) -> Iterator[Layer]:
    first, width = arch.in_chans, arch.num_init_features
    if arch.stem == "cifar":
        yield Layer("stem.conv0", first, width, 3)
    elif arch.stem == "cifar_norm":
        yield Layer("stem.conv0", first, width, 3)
        yield Layer("stem.norm0", width, width)
    elif arch.stem == "imagenet":
        yield Layer("stem.conv0", first, width, 7)
        yield Layer("stem.norm0", width, width)
    else:
        sides = [(first, arch.growth_rate), (arch.growth_rate, arch.growth_rate), (arch.growth_rate, width)]
        for i, (in_channels, out_channels) in enumerate(sides):
            yield Layer(f"stem.conv{i}", in_channels, out_channels, 3)
            yield Layer(f"stem.norm{i}", out_channels, out_channels)


def num_params(arch: Architecture) -> int:
    """Trainable parameters: everything but the running statistics."""
    shapes = (item for layer in layers(arch) for item in layer.shapes().items())
    return sum(prod(shape) for name, shape in shapes if not name.startswith("running_"))
