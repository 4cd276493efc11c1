"""Each kernel against float64: odd sizes, channels that no vector divides, 1 to 4 images, both instruction sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from native_kernels import Array, Case, error, finished, normed
from torch.nn import functional

from densezoo.backends.native import library
from densezoo.backends.native.library import Kind
from densezoo.backends.native.packing import panels, winograd
from densezoo.backends.native.windows import taps
from densezoo.types import Node
from densezoo.types.computation import Attributes, Pads


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def prologue(channels: int) -> tuple[Array, Array]:
    return numbers(channels, 1)[:, 0], numbers(channels, 2)[:, 0]


def vector(bits: int) -> int:
    return bits // 32


@pytest.mark.parametrize("normed_input", [False, True])
@pytest.mark.parametrize(
    ("images", "height", "width", "channels", "columns", "before"),
    [
        (1, 1, 1, 1, 1, 0),
        (1, 7, 7, 16, 32, 0),
        (2, 5, 3, 13, 12, 5),
        (3, 9, 11, 37, 40, 64),
        (4, 7, 7, 257, 17, 24),
        (1, 15, 16, 530, 129, 0),
        (4, 1, 1, 1000, 10, 0),
    ],
)
def test_a_product_of_pixels_and_a_matrix(
    images: int, height: int, width: int, channels: int, columns: int, before: int, normed_input: bool, bits: int
) -> None:
    matrix = numbers(channels, columns)
    case = Case(
        Kind.PRODUCT,
        numbers(images, height, width, channels),
        (height, width, columns),
        panels(matrix[None], vector(bits)),
        prologue(channels) if normed_input else None,
        numbers(columns, 3)[:, 0] if before else None,
        before,
        relu=normed_input,
    )
    expected = finished(case, normed(case) @ matrix.astype(np.float32).astype(np.float64))
    assert error(case.run(bits), expected) < 2e-6


@pytest.mark.parametrize("rows", range(1, 30))
def test_every_number_of_rows(rows: int, bits: int) -> None:
    """As many as a tile of the kernel has, fewer and more."""
    matrix = numbers(20, 33)
    case = Case(Kind.PRODUCT, numbers(1, 1, rows, 20), (1, rows, 33), panels(matrix[None], vector(bits)))
    assert error(case.run(bits), normed(case) @ matrix) < 1e-6


@pytest.mark.parametrize(
    ("images", "height", "width", "channels", "columns", "kernel", "stride"),
    [
        (1, 9, 9, 3, 8, 3, 1),
        (2, 37, 30, 3, 64, 7, 2),
        (3, 11, 8, 1, 13, 3, 2),
        (1, 20, 21, 12, 24, 5, 1),  # 300 numbers a window: more than a block
    ],
)
def test_a_product_of_windows(
    images: int, height: int, width: int, channels: int, columns: int, kernel: int, stride: int, bits: int
) -> None:
    x, weight = numbers(images, height, width, channels), numbers(columns, channels, kernel, kernel)
    expected = functional.conv2d(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(weight), stride=stride)
    matrix = weight.transpose(2, 3, 1, 0).reshape(1, -1, columns)
    case = Case(
        Kind.PATCHES,
        x,
        (expected.shape[2], expected.shape[3], columns),
        panels(matrix, vector(bits)),
        dense=True,
        fields={"kernel": (kernel, kernel), "strides": (stride, stride)},
    )
    assert error(case.run(bits), expected.permute(0, 2, 3, 1).numpy()) < 1e-6


@pytest.mark.parametrize("normed_input", [False, True])
@pytest.mark.parametrize(
    ("images", "height", "width", "channels", "columns", "before"),
    [
        (1, 1, 1, 1, 1, 0),
        (1, 8, 8, 16, 32, 0),
        (2, 7, 5, 13, 12, 5),
        (3, 4, 19, 48, 40, 64),
        (4, 2, 3, 257, 17, 24),
        (1, 21, 22, 128, 33, 3),
    ],
)
def test_a_3x3_convolution(
    images: int,
    height: int,
    width: int,
    channels: int,
    columns: int,
    before: int,
    normed_input: bool,
    bits: int,
) -> None:
    weight = numbers(columns, channels, 3, 3)
    case = Case(
        Kind.WINOGRAD,
        numbers(images, height, width, channels),
        (height, width, columns),
        panels(winograd(weight), vector(bits)),
        prologue(channels) if normed_input else None,
        numbers(columns, 3)[:, 0] if before else None,
        before,
        relu=bool(before),
    )
    planes = torch.from_numpy(normed(case)).permute(0, 3, 1, 2)
    product = functional.conv2d(planes, torch.from_numpy(weight), padding=1).permute(0, 2, 3, 1).numpy()
    assert error(case.run(bits), finished(case, product)) < 1e-5


def pool_node(op: str, kernel: int, stride: int, pads: Pads, ceil_mode: bool = False) -> Node:
    window: Attributes = {"kernel": (kernel, kernel), "stride": (stride, stride), "pads": pads, "ceil_mode": ceil_mode}
    return Node(op, "pool", ("x",), window)


POOLS = {
    "largest of 3": pool_node("max_pool", 3, 2, (1, 1, 1, 1)),
    "largest of 2": pool_node("max_pool", 2, 2, (0, 0, 0, 0), ceil_mode=True),
    "mean of 2": pool_node("avg_pool", 2, 2, (0, 0, 0, 0)),
    "mean of 2, ceil": pool_node("avg_pool", 2, 2, (0, 0, 0, 0), ceil_mode=True),
    "blur": pool_node("blur", 3, 2, (1, 1, 1, 1)),
    "mean": Node("global_avg_pool", "pool", ("x",)),
}


def pooled(name: str, x: torch.Tensor) -> torch.Tensor:
    """By torch, of (N, C, H, W)."""
    if name.startswith("largest"):
        side, pads = POOLS[name].attributes["kernel"], POOLS[name].attributes["pads"]
        return functional.max_pool2d(x, side, 2, int(pads[0]), ceil_mode=name == "largest of 2")
    if name.startswith("mean of 2"):
        return functional.avg_pool2d(x, 2, 2, ceil_mode=name == "mean of 2, ceil")
    if name == "blur":
        row = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
        kernel = (row[:, None] * row).expand(x.shape[1], 1, 3, 3)
        return functional.conv2d(functional.pad(x, (1, 1, 1, 1), "reflect"), kernel, stride=2, groups=x.shape[1])
    return x.mean((2, 3), keepdim=True)


@pytest.mark.parametrize("normed_input", [False, True])
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize(("images", "height", "width", "channels"), [(1, 2, 2, 1), (2, 9, 12, 13), (4, 7, 5, 300)])
@pytest.mark.parametrize("kind", [Kind.POOL, Kind.POOLED])
def test_a_pool(
    kind: Kind, images: int, height: int, width: int, channels: int, name: str, normed_input: bool, bits: int
) -> None:
    if kind is Kind.POOLED and name.startswith("largest"):
        pytest.skip("a product comes before it")
    case = Case(
        kind,
        numbers(images, height, width, channels),
        (0, 0, 0),
        None,
        prologue(channels) if normed_input else None,
        before=3,
    )
    expected = pooled(name, torch.from_numpy(normed(case)).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    case.largest = name.startswith("largest")
    sides = zip((height, width), expected.shape[1:3])
    case.windows = tuple(taps(POOLS[name], *side, axis) for axis, side in enumerate(sides))  # type: ignore[assignment]
    if kind is Kind.POOLED:
        matrix = numbers(channels, 21)
        case.weights, expected = panels(matrix[None], vector(bits)), expected @ matrix
    case.out = expected.shape[1:]
    assert error(case.run(bits), expected) < 2e-6


def test_the_peak_is_counted(bits: int) -> None:
    """Two operations a multiply-add, 12 vectors a round."""
    assert library.engine(bits).peak(10) == 2 * 12 * vector(bits) * 10
