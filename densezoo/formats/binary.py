"""Bytes of a file into tensors, each length held against the bytes that are there before anything is allocated."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from densezoo.errors import FormatError

#: Tensors of a checkpoint may take this many times its file (zip members are deflated, tensors can share storages).
MAX_EXPANSION, EXPANSION_SLACK = 3, 16 << 20
BFLOAT16 = "bfloat16"  # the one dtype that numpy lacks


def map_file(path: Path) -> memoryview:
    """The whole file, mapped and not read; writing to it changes this process's copy only.

    Raises:
        FormatError: it can't be mapped.
    """
    try:
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: can't be mapped into memory ({error})") from None


def cut(data: memoryview, start: int, length: int, what: str) -> memoryview:
    """``length`` bytes from ``start`` on.

    Raises:
        FormatError: the data ends before.
    """
    if start < 0 or length < 0 or start + length > len(data):
        raise FormatError(f"{what} should take {length:,} bytes from byte {start:,} on; there are {len(data):,}")
    return data[start : start + length]


def item_size(dtype: str) -> int:
    """Bytes of one number of a numpy dtype, or of bfloat16."""
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def to_tensor(data: bytes | memoryview, dtype: str, shape: Sequence[int], what: str) -> Tensor:
    """The numbers in ``data`` as a tensor that shares its memory where it can.

    Args:
        data: the bytes, rows last.
        dtype: numpy's name with byte order ("<f4"), or "bfloat16" (little-endian).
        shape: of the tensor.
        what: its name, for messages.

    Raises:
        FormatError: the shape takes more or fewer bytes than there are.
    """
    size = item_size(dtype)
    if any(side < 0 for side in shape) or prod(shape) * size != len(data):
        expected = f"a {dtype} array of shape {tuple(shape)} expected {prod(shape) * size:,} bytes"
        raise FormatError(f"{what}: {expected}; found {len(data):,}")
    if len(data) == 0:  # with a side of 0, the others may be of any length
        return torch.empty(0)
    stored = "<i2" if dtype == BFLOAT16 else dtype
    array = np.frombuffer(data, stored).reshape(tuple(shape))
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if not native.flags.writeable or not native.flags.aligned:
        native = native.copy()
    tensor = torch.from_numpy(native)
    return tensor.view(torch.bfloat16) if dtype == BFLOAT16 else tensor


def check_expansion(where: str, tensors: Sequence[Tensor], size: int) -> None:
    """Tensors that share bytes, or are mostly zeros, can still not claim memory without end.

    Raises:
        FormatError: they take more than a few times the file's size.
    """
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if claimed > MAX_EXPANSION * size + EXPANSION_SLACK:
        raise FormatError(f"{where}: its tensors would take {claimed:,} bytes, and the file has {size:,}")
