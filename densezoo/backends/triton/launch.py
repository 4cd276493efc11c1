"""Starts the kernels on tensors (N, H, W, C), in tiles that suit type and size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import triton
import triton.testing
from torch import Tensor

from densezoo.backends.triton import kernels

LARGEST_WIDTH = {2: 128, 4: 64}  # {bytes a number: most output channels of a tile}

#: {bytes a number: tiles of rows and input channels}. On a GPU each is tried when sizes are first met, and the fastest
#: is kept; float32 has one, so that it computes the same in every run. The first is the interpreter's.
TILES = {
    2: (
        triton.Config({"BLOCK_M": 128, "BLOCK_K": 32}, num_warps=4, num_stages=4),
        triton.Config({"BLOCK_M": 64, "BLOCK_K": 64}, num_warps=4, num_stages=3),
        triton.Config({"BLOCK_M": 128, "BLOCK_K": 64}, num_warps=8, num_stages=3),
        triton.Config({"BLOCK_M": 256, "BLOCK_K": 32}, num_warps=8, num_stages=3),
    ),
    4: (triton.Config({"BLOCK_M": 64, "BLOCK_K": 32}, num_warps=4, num_stages=3),),
}

#: {kernel: the arguments whose values decide which tiles are fastest}; not rows, whose number grows
#: with the batch.
SIZES = {
    kernels.norm_relu_product: ["channels", "width", "map_width", "POOL"],
    kernels.convolve_3x3: ["channels", "width", "map_width", "NORM"],
}


def interpreted() -> bool:
    """Whether Triton runs kernels on the CPU, one operation after the other: TRITON_INTERPRET=1."""
    return not isinstance(kernels.convolve_3x3, triton.JITFunction)


def block_n(width: int, size: int) -> int:
    """Output channels of a tile.

    Args:
        width: output channels of the layer.
        size: bytes a number.
    """
    return min(LARGEST_WIDTH[size], max(16, int(triton.next_power_of_2(width))))


def norm_relu_product(
    x: Tensor,
    norm: tuple[Tensor, Tensor],
    weight: Tensor,
    bias: Tensor,
    out: Tensor,
    *,
    relu: bool = False,
    pool: bool = False,
) -> None:
    """Write [ReLU](pool(ReLU(x * scale + shift)) weight + bias) into ``out``: a 1x1 convolution.

    Args:
        x: (N, H, W, channels), rows of one matrix.
        norm: scale and shift, float32 (channels).
        weight: (channels, width) of x's type.
        bias: float32 (width).
        out: (N, H, W, width) of x's type, rows of one matrix; with ``pool`` (N, H // 2, W // 2, width).
        relu: of the output.
        pool: average 2x2 pixels after the first ReLU.
    """
    _start(
        kernels.norm_relu_product,
        (x, *norm, weight, bias, out, *_sizes(x, out)),
        {"POOL": pool, "RELU": relu},
    )


def convolve_3x3(x: Tensor, norm: tuple[Tensor, Tensor] | None, weight: Tensor, out: Tensor) -> None:
    """Write a 3x3 convolution with padding 1 of x, or of ReLU(x * scale + shift), into ``out``.

    Args:
        x: (N, H, W, channels), rows of one matrix.
        norm: scale and shift, float32 (channels); None: of x itself.
        weight: (9, channels, width) of x's type.
        out: (N, H, W, width) of x's type, rows of one matrix.
    """
    _start(
        kernels.convolve_3x3,
        (x, *(norm or (None, None)), weight, out, *_sizes(x, out)),
        {"NORM": norm is not None},
    )


def _sizes(x: Tensor, out: Tensor) -> tuple[int, ...]:
    """rows, channels, width, x_stride, out_stride, map_height, map_width."""
    return (out[..., 0].numel(), x.shape[3], out.shape[3], x.stride(2), out.stride(2), x.shape[1], x.shape[2])


def _start(kernel: Any, arguments: tuple[object, ...], variant: Mapping[str, bool]) -> None:  # triton's kernels are Any
    """Start a kernel on as many tiles as cover the output.

    Args:
        kernel: of SIZES.
        arguments: its arguments up to the variant's.
        variant: its compile-time arguments but IEEE and the tiles.
    """
    x, rows, width = arguments[0], *arguments[-7:-4:2]
    assert isinstance(x, Tensor)
    assert isinstance(rows, int)
    assert isinstance(width, int)
    size = x.element_size()
    columns = block_n(width, size)

    def grid(tile: Mapping[str, int]) -> tuple[int]:
        return (triton.cdiv(rows, tile["BLOCK_M"]) * triton.cdiv(width, columns),)

    fixed = dict(variant, IEEE=size == 4, BLOCK_N=columns)
    if interpreted():
        kernel[grid](*arguments, **fixed, **TILES[size][0].kwargs)
    else:
        _tuned(kernel, size)[grid](*arguments, **fixed, enable_fp_fusion=True)


@cache
def _tuned(kernel: Any, size: int) -> Any:
    """The kernel with the choice of its tiles."""
    return triton.autotune(list(TILES[size]), key=SIZES[kernel], do_bench=_seconds)(kernel)


def _seconds(call: Callable[[], None], quantiles: tuple[float, ...]) -> Any:
    """Quantiles of the kernel's time; short, because there are hundreds of layers and tiles."""
    return triton.testing.do_bench(call, warmup=2, rep=10, quantiles=quantiles)
