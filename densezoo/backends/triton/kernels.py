"""Triton kernels of a dense block. Rows are pixels, so a tensor (N, H, W, C) is a matrix of N x H x W rows.

Both are matrix products with float32 accumulators. What precedes a product in the network (norm and ReLU) is done to a
tile of its input after the load, what follows it to a tile of its output before the store; neither is ever in memory.

Arguments of every kernel:
    x, out: the first element of a matrix whose rows are ``x_stride`` and ``out_stride`` elements apart. They may be
        columns of one matrix, which is how a dense layer's output lands beside its inputs.
    scale, shift: float32, one number a channel of x: norm as multiply and add.
    weight: of x's type, with the output channels innermost.
    rows: of the output. channels: of x. width: channels of the output.
    IEEE: products of float32 as such; else as the tensor cores take the inputs' type.
    BLOCK_M, BLOCK_N, BLOCK_K: rows, output channels and input channels of a tile, powers of 2 of 16 or more.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _norm_relu(x, scale, shift):
    """max(x * scale + shift, 0) in float32; NaN stays NaN, as with torch's ReLU."""
    return tl.maximum(x.to(tl.float32) * scale + shift, 0.0, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _tile(width, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    """The first row and the output channels of this program's tile; programs with the same rows follow each other."""
    tiles_n = (width + BLOCK_N - 1) // BLOCK_N
    first_row = (tl.program_id(0) // tiles_n) * BLOCK_M
    return first_row, (tl.program_id(0) % tiles_n) * BLOCK_N + tl.arange(0, BLOCK_N)


@triton.jit
def _store(total, out, out_stride, first_row, column, rows, width, BLOCK_M: tl.constexpr):
    """Store a tile in the output's type, but for what is beyond its rows and channels."""
    out += first_row.to(tl.int64) * out_stride
    line = tl.arange(0, BLOCK_M)
    mask = (first_row + line < rows)[:, None] & (column < width)[None, :]
    tl.store(out + line[:, None] * out_stride + column[None, :], total.to(out.dtype.element_ty), mask=mask)


@triton.jit
def norm_relu_product(
    x, scale, shift, weight, bias, out, rows, channels, width, x_stride, out_stride, map_height, map_width,
    POOL: tl.constexpr, RELU: tl.constexpr, IEEE: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """out = [ReLU](pool(ReLU(norm(x))) weight + bias): a 1x1 convolution with what stands before and after it.

    Args:
        weight: (channels, width). bias: float32 (width).
        map_height, map_width: of x in pixels; used with POOL.
        POOL: average 2x2 pixels of the normalised map, without overlap; a last odd row or column is left out.
        RELU: of the output: the second norm's, whose multiplier is in weight and whose offset is the bias.
    """
    first_row, column = _tile(width, BLOCK_M, BLOCK_N)
    row = first_row + tl.arange(0, BLOCK_M)
    if POOL:
        out_width, out_height = map_width // 2, map_height // 2
        image, pixel = row // (out_height * out_width), row % (out_height * out_width)
        corner = (image * map_height + pixel // out_width * 2) * map_width + pixel % out_width * 2
        x_row = corner.to(tl.int64) * x_stride
        below = map_width * x_stride
    else:
        x += first_row.to(tl.int64) * x_stride
        x_row = tl.arange(0, BLOCK_M) * x_stride
    total = tl.full((BLOCK_M, BLOCK_N), 0.0, tl.float32)
    for start in range(0, channels, BLOCK_K):
        channel = start + tl.arange(0, BLOCK_K)
        known = channel < channels
        mask = (row < rows)[:, None] & known[None, :]
        factor = tl.load(scale + channel, mask=known, other=0.0)[None, :]
        offset = tl.load(shift + channel, mask=known, other=0.0)[None, :]
        here = x + x_row[:, None] + channel[None, :]
        tile = _norm_relu(tl.load(here, mask=mask, other=0.0), factor, offset)
        if POOL:
            tile += _norm_relu(tl.load(here + x_stride, mask=mask, other=0.0), factor, offset)
            tile += _norm_relu(tl.load(here + below, mask=mask, other=0.0), factor, offset)
            tile += _norm_relu(tl.load(here + below + x_stride, mask=mask, other=0.0), factor, offset)
            tile *= 0.25
        place = weight + channel[:, None] * width + column[None, :]
        weights = tl.load(place, mask=known[:, None] & (column < width)[None, :], other=0.0)
        total = tl.dot(tile.to(weights.dtype), weights, total, input_precision="ieee" if IEEE else None)
    total += tl.load(bias + column, mask=column < width, other=0.0)[None, :]
    if RELU:
        total = tl.maximum(total, 0.0, propagate_nan=tl.PropagateNan.ALL)
    _store(total, out, out_stride, first_row, column, rows, width, BLOCK_M)


@triton.jit
def convolve_3x3(
    x, scale, shift, weight, out, rows, channels, width, x_stride, out_stride, map_height, map_width,
    NORM: tl.constexpr, IEEE: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """out = a 3x3 convolution of x, or of ReLU(norm(x)), with zeros around the map: nine products of shifted rows.

    Args:
        weight: (9, channels, width), the kernel's rows from top to bottom and each from left to right.
        map_height, map_width: of x and out, in pixels.
        NORM: norm and ReLU stand before the convolution: a dense layer without a bottleneck.
    """
    first_row, column = _tile(width, BLOCK_M, BLOCK_N)
    line = tl.arange(0, BLOCK_M)
    row = first_row + line
    left, top = row % map_width, (row // map_width) % map_height
    x += first_row.to(tl.int64) * x_stride
    total = tl.full((BLOCK_M, BLOCK_N), 0.0, tl.float32)
    chunks = (channels + BLOCK_K - 1) // BLOCK_K
    for step in range(0, 9 * chunks):
        tap = step // chunks
        channel = (step % chunks) * BLOCK_K + tl.arange(0, BLOCK_K)
        known = channel < channels
        down, right = tap // 3 - 1, tap % 3 - 1
        inside = (top + down >= 0) & (top + down < map_height) & (left + right >= 0) & (left + right < map_width)
        mask = ((row < rows) & inside)[:, None] & known[None, :]
        here = x + ((line + down * map_width + right) * x_stride)[:, None] + channel[None, :]
        tile = tl.load(here, mask=mask, other=0.0)
        if NORM:
            factor = tl.load(scale + channel, mask=known, other=0.0)[None, :]
            offset = tl.load(shift + channel, mask=known, other=0.0)[None, :]
            tile = tl.where(mask, _norm_relu(tile, factor, offset), 0.0)  # the zeros are around the normalised map
        place = weight + (tap * channels + channel)[:, None] * width + column[None, :]
        weights = tl.load(place, mask=known[:, None] & (column < width)[None, :], other=0.0)
        total = tl.dot(tile.to(weights.dtype), weights, total, input_precision="ieee" if IEEE else None)
    _store(total, out, out_stride, first_row, column, rows, width, BLOCK_M)
