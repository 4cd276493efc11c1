"""Bytes of a file -> tensors. Each length is compared with the bytes that are there before memory is allocated."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.limits import EXPANSION_SLACK, MAX_DIMENSIONS, MAX_EXPANSION, MAX_READ, MAX_REPEATED

BFLOAT16 = "bfloat16"  # the one dtype that numpy lacks
SMALL = 4096  # bytes of a tensor that is read even when only shapes are wanted, and without memory set aside for it
BLOCK = 1 << 20  # bytes that are read at once
EXPECTED = "expected a checkpoint file (.pth, .safetensors, .h5, .t7, ...)"
#: {type of a file that has no contents of its own: what it is}.
KINDS = {
    stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO (a named pipe)", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


class _Counted(io.FileIO):
    """A file that refuses to read more bytes in all than a checkpoint can need."""

    left = MAX_READ

    def readinto(self, buffer: Any) -> int | None:
        self.left -= memoryview(buffer).nbytes
        if self.left < 0:
            raise FormatError(
                f"{self.name}: more than {MAX_READ:,} bytes to read; expected at most so many in a checkpoint"
            )
        return super().readinto(buffer)


@dataclass
class Opened:
    """An open file.

    Args:
        path: its path, for messages.
        file: at any position.
        left: bytes that may still be read into memory.
        shapes_only: whether large tensors are wanted without their numbers.
        depth: number of archives that these bytes were unpacked from.
    """

    path: Path
    file: io.BufferedReader[_Counted] | io.BytesIO
    left: int
    shapes_only: bool = False
    depth: int = 0


class Bytes:
    """The bytes of a file, or a part of them, read only when `read` is called; ``len`` is their number.

    A file is never mapped into memory: if it shrank, a signal would end the process.

    Args:
        opened: the file.
        start: offset of the first byte in the file.
        size: number of bytes.
    """

    __slots__ = ("file", "opened", "size", "start")

    def __init__(self, opened: Opened, start: int, size: int) -> None:
        self.opened, self.file, self.start, self.size = opened, opened.file, start, size

    @property
    def path(self) -> Path:
        return self.opened.path

    def __len__(self) -> int:
        return self.size

    def read(self) -> memoryview:
        """All of the bytes, copied into memory.

        Raises:
            FormatError: the file has become shorter; all parts that were read together are too large for the file.
        """
        self.opened.left -= self.size
        if self.opened.left < 0:
            raise FormatError(f"{self.path}: the same bytes are used again and again; its tensors would take too much")
        self.file.seek(self.start)
        if self.size <= SMALL:
            data = memoryview(self.file.read(self.size))
        else:
            data, done = np.empty(self.size, np.uint8).data, 0
            while count := self.file.readinto(data[done : done + BLOCK]):
                done += count
            data = data[:done]
        if len(data) < self.size:
            raise FormatError(f"{self.path}: became shorter while it was read; read it again when it is whole")
        return data


@contextlib.contextmanager
def open_file(path: Path, shapes_only: bool = False) -> Iterator[Bytes]:
    """Open a regular file; refuse it at the end if it was written to in the meantime.

    Args:
        path: the file.
        shapes_only: whether large tensors are wanted without their numbers.

    Yields:
        The whole file.

    Raises:
        FormatError: there is no such file, it can't be opened, it is a directory, FIFO, socket or device (which is not
            opened, because that may never return); at the end: it was written to.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind != stat.S_IFREG:
            raise FormatError(f"{path}: is {KINDS.get(kind, 'no regular file')}; {EXPECTED}")
        # not waiting, should it have become a FIFO since
        raw = _Counted(path, opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    except FileNotFoundError:
        raise FormatError(f"{path}: there is no such checkpoint file") from None
    except OSError as error:
        raise FormatError(f"{path}: can't be opened ({error.strerror})") from None
    with io.BufferedReader(raw) as file:
        before = os.fstat(raw.fileno())
        broken: FormatError | None = None
        try:
            size = before.st_size
            yield Bytes(Opened(path, file, MAX_EXPANSION * size + EXPANSION_SLACK, shapes_only), 0, size)
        except FormatError as error:
            broken = error
        after = os.fstat(raw.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise FormatError(
            f"{path}: was written to while it was read ({before.st_size:,} bytes before, {after.st_size:,} after); "
            "read it again when it is whole"
        )
    if broken is not None:
        raise broken


def in_memory(path: Path, data: io.BytesIO, depth: int = 0) -> Bytes:
    """Bytes in memory that were made from a file's, such as a decompressed member.

    Args:
        path: of the file, for messages.
        data: the bytes.
        depth: number of archives that the bytes were unpacked from.
    """
    size = data.getbuffer().nbytes
    return Bytes(Opened(path, data, MAX_EXPANSION * size + EXPANSION_SLACK, depth=depth), 0, size)


def cut(data: Bytes, start: int, length: int, subject: str) -> Bytes:
    """A part of the bytes, not read yet.

    Args:
        data: the bytes.
        start: offset of the part's first byte in ``data``.
        length: bytes of the part.
        subject: what the part is, for messages: "a header".

    Raises:
        FormatError: ``data`` ends before the part does.
    """
    if start < 0 or length < 0 or start + length > data.size:
        raise FormatError(f"{subject} should take {length:,} bytes from byte {start:,} on; there are {data.size:,}")
    return Bytes(data.opened, data.start + start, length)


def item_size(dtype: str) -> int:
    """Bytes of one number of a numpy dtype, or of bfloat16."""
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def to_tensor(data: bytes | memoryview | Bytes, dtype: str, shape: Sequence[int], error_prefix: str) -> Tensor:
    """The numbers in ``data`` as a tensor, on its memory if possible; on the device "meta" if only shapes are wanted.

    Args:
        data: the bytes, in C order.
        dtype: numpy's name with byte order ("<f4"), or "bfloat16" (little-endian).
        shape: sides of the tensor.
        error_prefix: file and name of the tensor, for messages.

    Raises:
        FormatError: the shape takes more or fewer bytes than ``data`` has.
    """
    size = item_size(dtype)
    if len(shape) > MAX_DIMENSIONS:
        raise FormatError(f"{error_prefix}: has {len(shape):,} sides; expected at most {MAX_DIMENSIONS}")
    if any(side < 0 for side in shape) or prod(shape) * size != len(data):
        expected = f"a {dtype} array of shape {tuple(shape)} expected {prod(shape) * size:,} bytes"
        raise FormatError(f"{error_prefix}: {expected}; found {len(data):,}")
    if len(data) == 0:  # with a side of 0, the others may be of any length
        return torch.empty(0)
    stored = "<i2" if dtype == BFLOAT16 else dtype
    if isinstance(data, Bytes) and data.opened.shapes_only and len(data) > SMALL:
        return without_numbers(dtype, shape)
    array = np.frombuffer(data.read() if isinstance(data, Bytes) else data, stored).reshape(tuple(shape))
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if not native.flags.writeable or not native.flags.aligned:
        native = native.copy()
    tensor = torch.from_numpy(native)
    return tensor.view(torch.bfloat16) if dtype == BFLOAT16 else tensor


def without_numbers(dtype: str, shape: Sequence[int]) -> Tensor:
    """A tensor whose numbers were not read: on the device "meta".

    Args:
        dtype: numpy's name with byte order ("<f4"), or "bfloat16" (little-endian).
        shape: sides of the tensor.
    """
    of_torch = torch.bfloat16 if dtype == BFLOAT16 else torch.from_numpy(np.empty(0, dtype[-2:])).dtype
    return torch.empty(tuple(shape), dtype=of_torch, device="meta")


def check_expansion(path: str, tensors: Sequence[Tensor], size: int) -> None:
    """Refuse a file whose tensors, which may share bytes or repeat one number, would take too much memory.

    Args:
        path: the file, for messages.
        tensors: all tensors that were read from it.
        size: of the file, in bytes.

    Raises:
        FormatError: the tensors take more than MAX_EXPANSION times the file's size, or repeat one number too often.
    """
    repeated = [tensor for tensor in tensors if tensor.numel() > 1 and not any(tensor.stride())]
    claims = [sum(tensor.numel() * tensor.element_size() for tensor in some) for some in (tensors, repeated)]
    claimed = claims[0] - claims[1]
    if claims[1] > MAX_REPEATED:
        raise FormatError(
            f"{path}: its tensors of one number, repeated, would take {claims[1]:,} bytes; expected at most "
            f"{MAX_REPEATED:,} in a checkpoint"
        )
    if claimed > MAX_EXPANSION * size + EXPANSION_SLACK:
        raise FormatError(f"{path}: its tensors would take {claimed:,} bytes, and the file has {size:,}")
