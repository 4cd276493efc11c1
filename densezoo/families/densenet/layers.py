"""The ordered parametric layers of a DenseNet, as plain data.

The index (parameters), the converter (names and shapes) and the tests (which compare
`densezoo.families.densenet.network` with it) use this list, which needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.types import Layer

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


def kind_of(role: str) -> str:
    """The `Layer.kind` of the layers of a role.

    Args:
        role: a key of CANONICAL_TEMPLATES.
    """
    if role == "classifier":
        return "linear"
    return "norm" if ".norm" in role else "conv"


def layers(arch: DenseNetArchitecture) -> Iterator[Layer]:
    """Every parametric layer of the network, in the order in which the input passes them.

    Args:
        arch: the network.
    """
    yield from _stem(arch)
    channels, growth = arch.num_init_features, arch.growth_rate
    for block, depth in enumerate(arch.block_config, start=1):
        for index in range(1, depth + 1):
            yield _norm("layer.norm1", channels, block, index)
            if arch.bn_size is None:
                yield _conv("layer.conv1", channels, growth, 3, block, index)
            else:
                width = arch.bn_size * growth
                yield _conv("layer.conv1", channels, width, 1, block, index)
                yield _norm("layer.norm2", width, block, index)
                yield _conv("layer.conv2", width, growth, 3, block, index)
            channels += growth
        if block < len(arch.block_config):
            reduced = transition_channels(channels, arch.reduction)
            yield _norm("transition.norm", channels, block)
            yield _conv("transition.conv", channels, reduced, 1, block)
            channels = reduced
    yield _norm("final.norm", channels, len(arch.block_config))
    shapes = {"weight": (arch.num_classes, channels), "bias": (arch.num_classes,)}
    yield Layer("classifier", _name("classifier"), "linear", shapes)


def _conv(role: str, before: int, after: int, side: int, block: int = 0, index: int = 0, stride: int = 1) -> Layer:
    """A convolution, which has no bias: from ``before`` to ``after`` channels, its kernel ``side`` px wide and high."""
    return Layer(role, _name(role, block, index), "conv", {"weight": (after, before, side, side)}, block, index, stride)


def _norm(role: str, channels: int, block: int = 0, index: int = 0) -> Layer:
    """A batch norm. The final one's block is the last."""
    shapes = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))
    return Layer(role, _name(role, block, index), "norm", shapes, block, index)


def _name(role: str, block: int = 0, index: int = 0) -> str:
    return CANONICAL_TEMPLATES[role].format(block=block, layer=index)


def transition_channels(channels: int, reduction: float) -> int:
    """Channels after a transition: floor(channels x reduction) in double precision, as in the authors' code.

    Args:
        channels: before the transition.
        reduction: of the architecture.
    """
    return int(channels * reduction)


def stages(arch: DenseNetArchitecture) -> list[tuple[int, int]]:
    """(channels, image side / map side) after the stem, before its pooling, and after every dense block.

    Args:
        arch: the network.
    """
    stem, width = arch.stem_layout, arch.num_init_features
    side, maps = stem.reduction, [(width, stem.stride)]
    for depth in arch.block_config:
        width += depth * arch.growth_rate
        maps.append((width, side))
        width, side = transition_channels(width, arch.reduction), 2 * side
    return maps


def smallest_side(arch: DenseNetArchitecture) -> int:
    """Side in pixels of the smallest square image whose last map is as large as the head's pool, or two by two pixels.

    Args:
        arch: the network.
    """
    before = arch.stem_layout.reduction << len(arch.block_config) - 1  # every transition halves the map
    return before * (arch.head_pool or 2)


def _stem(arch: DenseNetArchitecture) -> Iterator[Layer]:
    stem, channels = arch.stem_layout, arch.in_chans
    for i, (kernel_size, stride) in enumerate(stem.convs):
        width = arch.growth_rate if i + 1 < len(stem.convs) else arch.num_init_features
        yield _conv(f"stem.conv{i}", channels, width, kernel_size, stride=stride)
        if stem.norms:
            yield _norm(f"stem.norm{i}", width)
        channels = width
