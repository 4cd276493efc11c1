"""Which kernel computes which nodes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from densezoo.backends.native.library import Kind
from densezoo.backends.native.lowering import Lowered, Slice, lower
from densezoo.errors import BackendError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.computation import computation
from densezoo.types import Computation, Node
from densezoo.types.computation import Attributes, channels

if TYPE_CHECKING:
    from typing_extensions import Unpack

BLOCK = "features.denseblock{}.concat"


def lowered(arch: DenseNetArchitecture) -> Lowered:
    nodes = computation(arch)
    return lower(nodes, channels(nodes))


def kinds(arch: DenseNetArchitecture) -> Counter[Kind]:
    return Counter(step.kind for step in lowered(arch).steps)


def test_densenet121() -> None:
    """One step a dense layer, of which its 1x1 convolution is a part, one a transition; the classifier is a product."""
    expected = {Kind.LOAD: 1, Kind.PATCHES: 1, Kind.POOL: 2, Kind.PRODUCT: 1, Kind.WINOGRAD: 58, Kind.POOLED: 3}
    assert kinds(DenseNetArchitecture()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bn_size": None}, {Kind.WINOGRAD: 3, Kind.PRODUCT: 1, Kind.POOLED: 1, Kind.POOL: 2}),
        ({"transition_pool": "max"}, {Kind.WINOGRAD: 3, Kind.PRODUCT: 2, Kind.POOLED: 0, Kind.POOL: 3}),
        ({"aa_layer": "blurpool", "aa_stem_only": False}, {Kind.POOLED: 1, Kind.POOL: 3}),
        ({"stem": "deep"}, {Kind.WINOGRAD: 5, Kind.PATCHES: 1}),
        ({"stem": "cifar"}, {Kind.WINOGRAD: 3, Kind.PATCHES: 1, Kind.POOL: 1}),
    ],
)
def test_what_becomes_of_the_others(changes: dict[str, Any], expected: dict[Kind, int]) -> None:
    found = kinds(dataclasses.replace(DenseNetArchitecture(4, (2, 1), 8), **changes))
    assert {kind: found[kind] for kind in expected} == expected


def test_a_block_s_layers_write_side_by_side() -> None:
    slices = lowered(DenseNetArchitecture(4, (2, 1), 8)).slices
    assert slices["features.pool0"] == Slice(BLOCK.format(1), 0)
    assert slices["features.denseblock1.denselayer1.conv2"] == Slice(BLOCK.format(1), 8)
    assert slices["features.denseblock1.denselayer2.conv2"] == Slice(BLOCK.format(1), 12)
    assert slices["features.transition1.pool"] == Slice(BLOCK.format(2), 0)


def test_norms_go_before_and_after() -> None:
    """norm1 is applied as the 1x1 convolution reads, norm2 is folded into it."""
    layer = next(step for step in lowered(DenseNetArchitecture(4, (1,), 8)).steps if step.kind is Kind.WINOGRAD)
    step = layer.producer
    assert step is not None
    assert step.prologue is not None
    assert step.epilogue is not None
    assert step.prologue.name.endswith("norm1")
    assert step.epilogue.name.endswith("norm2")


IMAGES = Node("input", "images", (), {"channels": 4})


def conv(name: str, before: str, **attributes: Unpack[Attributes]) -> Node:
    window: Attributes = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0)}
    return Node("conv", name, (before,), {"channels": 4, **window, **attributes}, ("w",))


CONV = conv("conv", "images")
NORM = Node("norm", "norm", ("conv",), {"eps": 0.1}, ("a", "b", "c", "d"))
RELU = Node("relu", "relu", ("norm",))


@pytest.mark.parametrize(
    ("nodes", "refused"),
    [
        ((conv("conv", "images", groups=2),), "conv"),
        ((conv("conv", "images", dilation=(2, 2)),), "conv"),
        ((CONV, conv("strided", "conv", stride=(2, 2))), "strided"),
        ((CONV, NORM), "norm"),
        ((CONV, Node("relu", "relu", ("conv",))), "relu"),
        ((CONV, Node("gelu", "gelu", ("conv",))), "gelu"),
        ((CONV, NORM, RELU, Node("norm", "again", ("relu",), {"eps": 0.1}), Node("relu", "last", ("again",))), None),
        ((CONV, Node("concat", "one", ("images", "conv")), Node("concat", "other", ("conv", "images"))), "one"),
    ],
)
def test_what_it_refuses(nodes: tuple[Node, ...], refused: str | None) -> None:
    network = Computation("toy", (IMAGES, *nodes))
    if refused is None:
        lower(network, channels(network))
        return
    with pytest.raises(BackendError, match=rf"no kernel for the step {refused} \("):
        lower(network, channels(network))
