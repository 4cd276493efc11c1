"""The closed set of tensor operations that key tables name.

All but the two that fuse a norm with the scale after it only move numbers, or are exact. They also work on tensors on
the device "meta", so that shapes can be compared before numbers are read.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def _identity(tensor: Tensor) -> Tensor:
    return tensor


def _hwio(kernel: Tensor) -> Tensor:
    """(height, width, in, out) -> (out, in, height, width): TensorFlow's layout."""
    return kernel.permute(3, 2, 0, 1)


def _hwio_rotated(kernel: Tensor) -> Tensor:
    """(height, width, in, out) -> (out, in, height, width), turned by 180 degrees, as Theano's convolution needs it."""
    return _hwio(kernel).flip(2, 3)


def _transposed(matrix: Tensor) -> Tensor:
    """(in, out) -> (out, in)."""
    return matrix.t()


def _matrix(tensor: Tensor) -> Tensor:
    """(out, in, 1, 1), a convolution that is a linear layer, or Caffe's old (1, 1, out, in) -> (out, in)."""
    if tensor.ndim == 4 and tuple(tensor.shape[2:]) == (1, 1):
        return tensor[:, :, 0, 0]
    return tensor[0, 0] if tensor.ndim == 4 and tuple(tensor.shape[:2]) == (1, 1) else tensor


def _hwio_matrix(tensor: Tensor) -> Tensor:
    """(1, 1, in, out) or (in, out) -> (out, in)."""
    return _transposed(tensor[0, 0] if tensor.ndim == 4 and tuple(tensor.shape[:2]) == (1, 1) else tensor)


def _vector(tensor: Tensor) -> Tensor:
    """(1, 1, 1, n) -> (n): Caffe's old vectors."""
    return tensor.reshape(-1) if tensor.numel() == max(tensor.shape, default=0) else tensor


def _divided(statistic: Tensor, factor: Tensor) -> Tensor:
    """Caffe's running sum / the factor that it stores beside it; 0 if the factor is 0."""
    factor = factor.reshape(-1)[0]
    return torch.where(factor == 0, torch.zeros_like(factor), _vector(statistic) / factor)


def _product(gamma: Tensor, scale: Tensor) -> Tensor:
    """The weight of a norm that a scale follows."""
    return gamma * scale


def _affine(beta: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The bias of a norm that a scale follows."""
    return beta * scale + shift


def _plus_1e5th(variance: Tensor) -> Tensor:
    """The variance of a norm whose epsilon is 1e-5 larger than those of the network's other norms."""
    return variance + 1e-5


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "identity": _identity,
    "hwio": _hwio,
    "hwio_rotated": _hwio_rotated,
    "transposed": _transposed,
    "matrix": _matrix,
    "hwio_matrix": _hwio_matrix,
    "vector": _vector,
    "divided": _divided,
    "product": _product,
    "affine": _affine,
    "plus_1e-5": _plus_1e5th,
}

#: {operation: its inverse}, of those that have one; writers of a source's files use them.
INVERSES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": _identity,
    "hwio": lambda kernel: kernel.permute(2, 3, 1, 0),
    "transposed": _transposed,
    "hwio_matrix": _transposed,
    "matrix": _identity,
    "vector": _identity,
}
