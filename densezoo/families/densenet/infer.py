"""The architecture of a DenseNet, and the position of every numbered layer, from its tensors' names and shapes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from densezoo.families.base import Position
from densezoo.families.densenet.architecture import DenseNetArchitecture, Stem
from densezoo.families.densenet.layers import transition_channels
from densezoo.families.naming import Naming


def ranks(naming: Naming) -> dict[Position, int]:
    """{position: rank among the layers of its kind}, found by the sequence of the convolutions' kernels.

    Args:
        naming: a key table whose names are ranks, as the file uses it.
    """
    shapes = []
    for rank in itertools.count():
        shape = naming.ranked({("stem.conv0", 0, 0): rank}).shape("stem.conv0")
        if shape is None or len(shape) != 4:
            break
        shapes.append(shape)
    convs = list(_convolutions([shape[2] for shape in shapes], _deep(shapes)))
    norms = [(role.replace(".conv", ".norm"), block, layer) for role, block, layer in convs]
    if _count(naming, "final.norm") == len(convs):  # one norm less: a stem without
        norms = norms[1:]
    last = max((block for _, block, _ in convs), default=0)
    ranked = {position: rank for rank, position in enumerate(convs)}
    ranked |= {position: rank for rank, position in enumerate([*norms, ("final.norm", last, 0)])}
    return ranked | {("classifier", 0, 0): 0}


def _count(naming: Naming, role: str) -> int:
    """The number of layers of a role's kind in the file."""
    counted = (naming.ranked({(role, 0, 0): rank}).shape(role) for rank in itertools.count())
    return sum(1 for _ in itertools.takewhile(lambda shape: shape is not None, counted))


def _deep(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether the stem is three 3x3 convolutions; a dense layer's would also take the features before it."""
    return len(shapes) > 3 and [shape[2] for shape in shapes[:4]] == [3, 3, 3, 1] and shapes[1][0] == shapes[0][0]


def _convolutions(sides: list[int], deep: bool) -> Iterator[Position]:
    """The role of every convolution, from the sides of their kernels: 1, 3 is a bottleneck, a lone 1 a transition."""
    stem = 3 if deep else 1
    yield from ((f"stem.conv{i}", 0, 0) for i in range(min(stem, len(sides))))
    block, layer, i = 1, 0, stem
    while i < len(sides):
        if sides[i : i + 2] == [1, 3] and (layer or sides[i + 2 : i + 3] != [3]) and not _plain(sides, stem):
            layer += 1
            yield from ((f"layer.conv{1 + j}", block, layer) for j in range(2))
            i += 2
        elif sides[i] == 1:
            yield "transition.conv", block, 0
            block, layer, i = block + 1, 0, i + 1
        else:
            layer += 1
            yield "layer.conv1", block, layer
            i += 1


def _plain(sides: list[int], stem: int) -> bool:
    """Whether the dense layers have no bottleneck: the first one is then a 3x3 convolution."""
    return sides[stem : stem + 1] == [3]


def infer_architecture(naming: Naming) -> DenseNetArchitecture:
    """The architecture that the tensors' names and shapes show; a field whose tensor is absent has its default.

    Args:
        naming: the key table as the file uses it.
    """
    block_config = naming.depths("layer.conv1")
    default = DenseNetArchitecture(block_config=block_config or (1,))
    stem = _stem(naming)
    bottleneck = bool(naming.shape("layer.conv2", 1, 1))
    growth_rate = naming.side("layer.conv2" if bottleneck else "layer.conv1", 0, default.growth_rate, 1, 1)
    width = naming.side("layer.conv1", 0, growth_rate, 1, 1)
    return dataclasses.replace(
        default,
        stem=stem,
        growth_rate=growth_rate,
        num_init_features=naming.side("stem.conv2" if stem == "deep" else "stem.conv0", 0, default.num_init_features),
        bn_size=max(1, width // growth_rate) if bottleneck else None,
        reduction=_reduction(naming, len(block_config)),
        in_chans=naming.side("stem.conv0", 1, default.in_chans),
        num_classes=naming.side("classifier", 0, default.num_classes),
    )


def _stem(naming: Naming) -> Stem:
    if naming.shape("stem.conv2"):
        return "deep"
    if not naming.shape("stem.norm0"):
        return "cifar"
    return "cifar_norm" if naming.side("stem.conv0", 2, 7) == 3 else "imagenet"


def _reduction(naming: Naming, blocks: int) -> float:
    """The factor of all transitions: 0.5 or 1 if they agree with it, as in every published network."""
    shapes = (naming.shape("transition.conv", block) for block in range(1, blocks))
    sides = [(shape[1], shape[0]) for shape in shapes if shape is not None and len(shape) > 1 and min(shape[:2]) > 0]
    exact = [0.5, 1.0] + [min(1.0, (reduced + 0.5) / channels) for channels, reduced in sides]
    fits = (r for r in exact if all(transition_channels(before, r) == after for before, after in sides))
    return next(fits, 0.5)
