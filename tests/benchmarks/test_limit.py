"""The products that are left: counted by hand on a network of three convolutions, and on DenseNet-121."""

from __future__ import annotations

from densezoo.benchmarks.limit import products
from densezoo.config import load_config
from densezoo.families import family_of
from densezoo.paths import ROOT
from densezoo.types import Computation, Node
from densezoo.types.computation import Attributes


def conv(name: str, source: str, width: int, side: int, stride: int = 1) -> Node:
    pad = side // 2
    attributes: Attributes = {"channels": width, "kernel": (side, side), "stride": (stride, stride), "pads": (pad,) * 4}
    return Node("conv", name, (source,), attributes, (f"{name}.weight",))


def test_three_convolutions_by_hand() -> None:
    computation = Computation(
        "three",
        (
            Node("input", "images", (), {"channels": 3}),
            conv("first", "images", 5, 3, stride=2),  # 20 -> 10: stride 2 has no Winograd here
            conv("second", "first", 7, 3),  # 10 x 10 are 3 x 3 tiles of 4
            conv("third", "second", 2, 1),  # before a pool
            Node("avg_pool", "pool", ("third",), {"kernel": (2, 2), "stride": (2, 2), "pads": (0, 0, 0, 0)}),
        ),
    )
    assert products(computation, 20) == (3 * 5 * 9 * 100 + 7 * 2 * 25, 5 * 7 * 36 * 9)


def test_three_fifths_of_densenet121_are_left() -> None:
    arch = load_config(ROOT / "configs/densenet121.py").model
    direct, winograd = products(family_of(arch).computation(arch), 224)
    assert winograd == 128 * 32 * 36 * (6 * 14**2 + 12 * 7**2 + 24 * 4**2 + 16 * 2**2)  # tiles of 56, 28, 14 and 7 px
    in_blocks = 128 * 32 * 9 * (6 * 56**2 + 12 * 28**2 + 24 * 14**2 + 16 * 7**2)
    assert direct == 2_834_161_664 - in_blocks - transitions()
    assert direct + winograd < 0.6 * 2_834_161_664


def transitions() -> int:
    """Three quarters of the transitions' multiply-adds."""
    return 3 * (256 * 128 * 56**2 + 512 * 256 * 28**2 + 1024 * 512 * 14**2) // 4
