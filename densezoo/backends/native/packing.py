"""Weights in the order in which the kernels read them; norms folded. Sums are float64, stored numbers float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from densezoo.backends.native.library import Floats, aligned

Doubles = NDArray[np.float64]

#: G of Winograd's F(4x4,3x3), which transforms a kernel: G g G^T.
WINOGRAD: Doubles = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)


def panels(matrices: Doubles | Floats, vector: int) -> Floats:
    """Matrices as the product's kernel reads them: panels of two vectors' columns, the last perhaps of one.

    Args:
        matrices: (count, depth, columns).
        vector: floats in a vector.

    Returns:
        the panels of one matrix after those of the other, each (depth, width of the panel); missing columns are 0.
    """
    count, depth, columns = matrices.shape
    width = -(-columns // vector) * vector
    packed = aligned(count * depth * width).reshape(count, depth * width)
    for first in range(0, width, 2 * vector):
        here = min(2 * vector, width - first)
        panel = packed[:, depth * first : depth * (first + here)].reshape(count, depth, here)
        taken = matrices[:, :, first : first + here]
        panel[:, :, : taken.shape[2]] = taken
        panel[:, :, taken.shape[2] :] = 0.0
    return packed.reshape(-1)


def vectors(values: Doubles | Floats, vector: int) -> Floats:
    """Numbers of channels, in whole vectors; missing ones are 0.

    Args:
        values: (channels,).
        vector: floats in a vector.
    """
    packed = aligned(-(-len(values) // vector) * vector)
    packed[: len(values)], packed[len(values) :] = values, 0.0
    return packed


def winograd(weight: Doubles) -> Doubles:
    """3x3 kernels (out, in, 3, 3) in Winograd's domain: (positions of a tile, in, out).

    Args:
        weight: the kernels.
    """
    out, channels = weight.shape[:2]
    kernels = weight.transpose(2, 3, 1, 0).reshape(3, 3, channels * out)
    columns = np.tensordot(WINOGRAD, kernels, (1, 0))  # (side, 3, in x out)
    both = np.tensordot(WINOGRAD, columns, (1, 1))  # (side of the columns, side of the rows, in x out)
    return np.ascontiguousarray(both.swapaxes(0, 1)).reshape(len(WINOGRAD) ** 2, channels, out)


def norm(weight: Floats, bias: Floats, mean: Floats, variance: Floats, eps: float) -> tuple[Doubles, Doubles]:
    """A batch norm as (scale, shift): x -> scale x + shift.

    Args:
        weight, bias, mean, variance: of each channel.
        eps: added to the variance.
    """
    scale = weight.astype(np.float64) / np.sqrt(variance.astype(np.float64) + eps)
    return scale, bias - mean * scale
