"""The ordered parametric layers of a DenseNet, as plain data.

Whatever has to name, count or shape the tensors of a DenseNet asks here and needs no torch: the index (parameters),
the converter (every name and shape), the tests (which hold `densezoo.families.densenet.network` to it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from densezoo.families.densenet.architecture import DenseNetArchitecture, Stem
from densezoo.types import ParamKind

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
class StemLayout:
    """What comes before the first dense block.

    Args:
        convs: (side of the kernel, stride) of each convolution; all but the last have growth_rate channels.
        norms: whether each convolution has a norm and a ReLU after it.
        pool: whether a 3x3 max pool of stride 2 ends it.
        words: it in a sentence.
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
    "deep": StemLayout(
        ((3, 2), (3, 1), (3, 1)), norms=True, pool=True, words="three 3x3 convolutions, the first of stride 2"
    ),
}


@dataclass(frozen=True)
class Layer:
    """One layer that has parameters.

    Args:
        role: key of CANONICAL_TEMPLATES.
        in_channels, out_channels: equal for a norm.
        kernel_size: side of a convolution's kernel.
        block, index: dense block and layer in it, from 1; 0 where there is none. The final norm's block is the last.
        stride: of a convolution.
    """

    role: str
    in_channels: int
    out_channels: int
    kernel_size: int = 1
    block: int = 0
    index: int = 0
    stride: int = 1

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


def layers(arch: DenseNetArchitecture) -> Iterator[Layer]:
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


def stages(arch: DenseNetArchitecture) -> list[tuple[int, int]]:
    """(channels, image side / map side) after the stem, before its pooling, and after every dense block."""
    stem, width = STEMS[arch.stem], arch.num_init_features
    side, found = stem.reduction, [(width, stem.stride)]
    for depth in arch.block_config:
        width += depth * arch.growth_rate
        found.append((width, side))
        width, side = transition_channels(width, arch.reduction), 2 * side
    return found


def _stem(arch: DenseNetArchitecture) -> Iterator[Layer]:
    stem, channels = STEMS[arch.stem], arch.in_chans
    for i, (kernel_size, stride) in enumerate(stem.convs):
        width = arch.growth_rate if i + 1 < len(stem.convs) else arch.num_init_features
        yield Layer(f"stem.conv{i}", channels, width, kernel_size, stride=stride)
        if stem.norms:
            yield Layer(f"stem.norm{i}", width, width)
        channels = width


def num_params(arch: DenseNetArchitecture) -> int:
    """Trainable parameters: everything but the running statistics."""
    shapes = (item for layer in layers(arch) for item in layer.shapes().items())
    return sum(prod(shape) for name, shape in shapes if not name.startswith("running_"))
