"""The ordered parametric layers of an RDNet, as plain data; needs no torch."""

from __future__ import annotations

from collections.abc import Iterator

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.types import Layer

_LAYER = "dense_stages.{stage}.{position}.dense_block{layer0}"
#: {role: canonical name}: timm's names. A source's key table maps the same roles to its own names.
CANONICAL_TEMPLATES = {
    "stem.conv": "stem.0",
    "stem.norm": "stem.1",
    "transition.norm": "dense_stages.{stage}.0",
    "transition.conv": "dense_stages.{stage}.1",
    "layer.depthwise": f"{_LAYER}.layers.layers.0",
    "layer.norm": f"{_LAYER}.layers.layers.1",
    "layer.expand": f"{_LAYER}.layers.layers.2",
    "layer.reduce": f"{_LAYER}.layers.layers.4",
    "layer.attention": f"{_LAYER}.layers.layers.5.fc",
    "layer": _LAYER,
    "final.norm": "head.norm",
    "classifier": "head.fc",
}
KINDS = {"layer": "gain", "classifier": "linear"}  # of the roles that are neither norm nor convolution


def kind_of(role: str) -> str:
    """The `Layer.kind` of the layers of a role.

    Args:
        role: a key of CANONICAL_TEMPLATES.
    """
    return KINDS.get(role, "layer_norm" if role.endswith("norm") else "conv")


def numbers(block: int, layer: int, rank: int) -> dict[str, int]:
    """{name in the braces of a template: number}.

    Args:
        block: the stage, from 1.
        layer: its number in the stage, from 1.
        rank: not used: every source names its layers.
    """
    return {"stage": block - 1, "position": 0 if block == 1 else 2, "layer0": layer - 1}


def layers(arch: RDNetArchitecture) -> Iterator[Layer]:
    """Every parametric layer of the network, in the order in which the input passes them.

    Args:
        arch: the network.
    """
    channels = arch.num_init_features
    yield _conv("stem.conv", channels, arch.in_chans, arch.patch_size, stride=arch.patch_size)
    yield _norm("stem.norm", channels)
    for stage, (depth, growth_rate) in enumerate(zip(arch.block_config, arch.growth_rates)):
        block = stage + 1
        if stage:
            side, reduced = arch.transition_stride(stage), rounded_down(channels * arch.reduction)
            yield _norm("transition.norm", channels, block)
            yield _conv("transition.conv", reduced, channels, side, block, stride=side)
            channels = reduced
        for index in range(1, depth + 1):
            width = rounded_down(channels * arch.expansion)
            yield _conv("layer.depthwise", channels, 1, 7, block, index, groups=channels)
            yield _norm("layer.norm", channels, block, index)
            yield _conv("layer.expand", width, channels, 1, block, index)
            yield _conv("layer.reduce", growth_rate, width, 1, block, index)
            if stage in arch.attention:
                yield _conv("layer.attention", growth_rate, growth_rate, 1, block, index)
            yield Layer("layer", _name("layer", block, index), "gain", {"gamma": (growth_rate,)}, block, index)
            channels += growth_rate
    yield _norm("final.norm", channels)
    yield Layer("classifier", _name("classifier"), "linear", _shapes(arch.num_classes, channels))


def rounded_down(channels: float) -> int:
    """The largest multiple of 8 that is not more, as in the authors' code.

    Args:
        channels: any number.
    """
    return int(channels / 8) * 8


def stages(arch: RDNetArchitecture) -> list[tuple[int, int]]:
    """(channels, image side / map side) at the end of every resolution, as timm's ``features_only`` has it.

    Args:
        arch: the network.
    """
    return [(channels, reduction) for _, channels, reduction in stage_ends(arch)]


def stage_ends(arch: RDNetArchitecture) -> Iterator[tuple[int, int, int]]:
    """(stage, channels, image side / map side) of the stages after which the map is halved, and of the last one.

    Args:
        arch: the network.
    """
    channels, reduction, last = arch.num_init_features, arch.patch_size, len(arch.growth_rates) - 1
    for stage, (depth, growth_rate) in enumerate(zip(arch.block_config, arch.growth_rates)):
        if stage:
            channels, reduction = rounded_down(channels * arch.reduction), reduction * arch.transition_stride(stage)
        channels += depth * growth_rate
        if stage == last or stage + 1 in arch.downsample:
            yield stage, channels, reduction


def smallest_side(arch: RDNetArchitecture) -> int:
    """Side in pixels of the smallest square image whose last map has two by two pixels.

    Args:
        arch: the network.
    """
    return arch.patch_size << len(arch.downsample) + 1


def _conv(
    role: str, after: int, before: int, side: int, block: int = 0, index: int = 0, stride: int = 1, groups: int = 1
) -> Layer:
    """A convolution with bias; ``before``: channels of each group that it takes."""
    return Layer(
        role, _name(role, block, index), "conv", _shapes(after, before, side, side), block, index, stride, groups
    )


def _norm(role: str, channels: int, block: int = 0, index: int = 0) -> Layer:
    """A layer norm, which has no running statistics."""
    return Layer(role, _name(role, block, index), "layer_norm", _shapes(channels), block, index)


def _shapes(*weight: int) -> dict[str, tuple[int, ...]]:
    return {"weight": weight, "bias": weight[:1]}


def _name(role: str, block: int = 0, index: int = 0) -> str:
    return CANONICAL_TEMPLATES[role].format(**numbers(block, index, 0))
