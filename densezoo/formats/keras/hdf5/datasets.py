"""The numbers of an HDF5 dataset: in one piece, or in chunks that an index lists and filters compress."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import SMALL, to_tensor, without_numbers
from densezoo.formats.keras.hdf5.bytes import UNDEFINED
from densezoo.formats.keras.hdf5.file import DATASPACE, DATATYPE, EXTERNAL, FILTERS, LAYOUT, File, HDF5Object
from densezoo.formats.keras.hdf5.indexes import FixedArray, btree_v1

COMPACT, CHUNKED = 0, 2  # classes of layout; 1 is contiguous, 3 virtual
SINGLE, IMPLICIT, FIXED_ARRAY = 1, 2, 3  # indexes of chunks, from version 4 of the layout on
PARTIAL_EDGES, SINGLE_FILTERED = 1, 2  # its flags
DEFLATE, SHUFFLE, CHECKSUM = 1, 2, 3
#: {(numpy's letter, bytes): the properties of the datatype}. Integers: first bit, bits; floats, as IEEE 754 has them:
#: also the places and bits of exponent and mantissa, and the bias (a bfloat16 has two bytes as well).
NUMBERS = {("i", size): struct.pack("<HH", 0, 8 * size) for size in (1, 4, 8)} | {
    ("u", 1): struct.pack("<HH", 0, 8),
    ("f", 2): struct.pack("<HHBBBBI", 0, 16, 10, 5, 0, 10, 15),
    ("f", 4): struct.pack("<HHBBBBI", 0, 32, 23, 8, 0, 23, 127),
    ("f", 8): struct.pack("<HHBBBBI", 0, 64, 52, 11, 0, 52, 1023),
}


class Grid(NamedTuple):
    """How a dataset is cut into chunks.

    Args:
        shape: sides of the dataset, numbers.
        limits: sides up to which it may grow, numbers.
        sides: of a chunk, numbers.
        size: of a chunk without filters, bytes.
    """

    shape: list[int]
    limits: list[int]
    sides: list[int]
    size: int

    @property
    def num_chunks(self) -> int:
        """How many chunks hold numbers of the dataset."""
        return prod(-(-side // step) for side, step in zip(self.shape, self.sides))

    def chunks(self) -> Iterator[tuple[int, list[int]]]:
        """(number of the chunk, index of its first number in the dataset) of each chunk; numbers follow the limits."""
        counts = [-(-side // step) for side, step in zip(self.shape, self.sides)]
        most = [-(-limit // step) for limit, step in zip(self.limits, self.sides)]
        for rest in range(self.num_chunks):
            number, weight, origin = 0, 1, list[int]()
            for count, limit, step in reversed(list(zip(counts, most, self.sides))):
                rest, index = divmod(rest, count)
                number, weight = number + index * weight, weight * limit
                origin.insert(0, index * step)
            yield number, origin


class Chunk(NamedTuple):
    """A chunk as it is stored.

    Args:
        origin: the index of its first number in the dataset.
        start: offset of its bytes in the file.
        size: in the file, bytes.
        skipped: a bit for each filter that wasn't applied.
        entry: offset of its entry in the index, bytes, for messages.
    """

    origin: list[int]
    start: int
    size: int
    skipped: int
    entry: int


def read_tensor(file: File, node: HDF5Object, subject: str) -> Tensor:
    """The numbers of a dataset.

    Args:
        file: the file of the dataset.
        node: the dataset.
        subject: its name, for messages.

    Raises:
        FormatError: broken, truncated or in another file; no numbers; stored in a way that densezoo doesn't read.
    """
    space, kind, layout = (node.message(which) for which in (DATASPACE, DATATYPE, LAYOUT))
    if space is None or kind is None or layout is None or node.message(EXTERNAL) is not None:
        raise FormatError(f"{file.path}: {subject} is no dataset with its numbers in this file")
    (shape, limits), dtype, at = file.shape(space.start), _dtype(file, kind.start), layout.start
    size = prod(shape) * dtype.itemsize
    version, how = file.number(at, 1), file.number(at + 1, 1)
    if version not in (3, 4, 5) or how > CHUNKED:
        raise file.error(at, "a layout of version 3 to 5, in this file", f"version {version}, class {how}")
    file.reserve(at, size)
    if how == CHUNKED and size:
        if file.data.opened.shapes_only and size > SMALL:
            return without_numbers(dtype.str, shape)
        grid, chunks = _cut(file, at, shape, limits, dtype.itemsize)
        return _assembled(file, grid, chunks, list(_filters(file, node)), dtype, subject)
    start, stored = (at + 4, file.number(at + 2, 2)) if how == COMPACT else (file.number(at + 2), file.number(at + 10))
    if size == 0:  # nothing is stored
        start, stored = at, 0
    if stored != size or start == UNDEFINED:
        raise file.error(at, f"{size:,} bytes of {subject}, of shape {tuple(shape)}", f"{stored:,}")
    return to_tensor(file.piece(start, size, subject), dtype.str, shape, f"{file.path}: {subject}")


def _dtype(file: File, at: int) -> np.dtype[np.generic]:
    kind, flags, size = file.number(at, 1) & 15, file.number(at + 1, 1), file.number(at + 4, 4)
    letter = {0: "i" if flags & 8 else "u", 1: "f"}.get(kind, "")
    properties = NUMBERS.get((letter, size))
    if properties is None or file.piece(at + 8, len(properties), "a datatype").read() != properties:
        numbers = f"numbers of class {kind} of {size} bytes, flags {flags}"
        raise file.unsupported(at, numbers, "float16, 32 or 64, int8, 32 or 64, or uint8")
    return np.dtype(f"{'>' if flags & 1 else '<'}{letter}{size}")


def _cut(file: File, at: int, shape: list[int], limits: list[int], item: int) -> tuple[Grid, Iterator[Chunk]]:
    """The chunks of a chunked layout; the file lists the bytes of a number as a further side of a chunk."""
    older = file.number(at, 1) == 3
    if older:
        rank, width, start = file.number(at + 2, 1), 4, at + 11
    else:
        rank, width, start = file.number(at + 3, 1), file.number(at + 4, 1), at + 5
    sides = [file.number(start + width * i, width) for i in range(rank - 1)]
    if rank != len(shape) + 1 or not sides or min(sides) < 1:
        raise file.error(at, f"chunks of {len(shape)} sides", f"{sides}")
    grid = Grid(shape, limits, sides, prod(sides) * item)
    file.reserve(at, 0, passing=2 * grid.size, work=grid.num_chunks * grid.size)
    if older:
        return grid, _chunks_v3(file, file.number(at + 3), rank, grid)
    return grid, _chunks_v4(file, start + width * rank, file.number(at + 2, 1), grid)


def _chunks_v3(file: File, tree: int, rank: int, grid: Grid) -> Iterator[Chunk]:
    """The chunks that a version 1 B-tree lists; a key holds a chunk's size, its skipped filters and its origin."""
    key_size = 8 + 8 * rank
    for entry in btree_v1(file, tree, kind=1, key_size=key_size):
        origin = [file.number(entry + 8 + 8 * i) for i in range(rank - 1)]
        yield Chunk(origin, file.number(entry + key_size), file.number(entry, 4), file.number(entry + 4, 4), entry)


def _chunks_v4(file: File, at: int, flags: int, grid: Grid) -> Iterator[Chunk]:
    """The chunks that one of several indexes lists."""
    index = file.number(at, 1)
    if index not in (SINGLE, IMPLICIT, FIXED_ARRAY) or flags & PARTIAL_EDGES:
        raise file.unsupported(at, f"chunks as of a dataset that can grow (index {index}, flags {flags})")
    if index == SINGLE:
        origin, filtered = [0] * len(grid.shape), flags & SINGLE_FILTERED
        size, skipped = (file.number(at + 1), file.number(at + 9, 4)) if filtered else (grid.size, 0)
        yield Chunk(origin, file.number(at + 13 if filtered else at + 1), size, skipped, at)
    elif index == IMPLICIT:
        start = file.number(at + 1)
        for number, origin in grid.chunks():
            yield Chunk(origin, start + number * grid.size, grid.size, 0, at)
    else:
        array = FixedArray(file, file.number(at + 2))
        if array.size != 8 and not 12 < array.size <= 20:  # an address; with filters also the size, and what is skipped
            raise file.error(at, "an array of chunks", f"elements of {array.size} bytes")
        for number, origin in grid.chunks():
            entry = array.find(number)
            size, skipped = grid.size, 0
            if array.size > 8:
                size, skipped = file.number(entry + 8, array.size - 12), file.number(entry + array.size - 4, 4)
            yield Chunk(origin, file.number(entry), size, skipped, entry)


def _assembled(
    file: File, grid: Grid, chunks: Iterator[Chunk], filters: list[int], dtype: np.dtype[np.generic], subject: str
) -> Tensor:
    """The dataset of all chunks; every number must be in one of them."""
    out, origins = np.empty(grid.shape, dtype), set[tuple[int, ...]]()
    for chunk in chunks:
        raw: bytes | memoryview = file.piece(chunk.start, chunk.size, f"a chunk of {subject}").read()
        for i, which in reversed(list(enumerate(filters))):
            if not chunk.skipped >> i & 1:
                raw = _undone(file, which, raw, grid.size, dtype.itemsize, chunk.entry)
        aligned = all(
            begin < side and begin % step == 0 for begin, side, step in zip(chunk.origin, grid.shape, grid.sides)
        )
        if len(raw) != grid.size or not aligned or tuple(chunk.origin) in origins:
            expected = f"each chunk of {grid.sides} within {grid.shape} once"
            raise file.error(chunk.entry, expected, f"{len(raw):,} bytes at {chunk.origin}")
        origins.add(tuple(chunk.origin))
        target = out[tuple(slice(begin, begin + side) for begin, side in zip(chunk.origin, grid.sides))]
        target[...] = np.frombuffer(raw, dtype).reshape(grid.sides)[tuple(slice(0, side) for side in target.shape)]
    if len(origins) != grid.num_chunks:
        raise FormatError(f"{file.path}: {subject} should have {grid.num_chunks:,} chunks; there are {len(origins):,}")
    return torch.from_numpy(out.astype(out.dtype.newbyteorder("="), copy=False))


def _filters(file: File, node: HDF5Object) -> Iterator[int]:
    message = node.message(FILTERS)
    if message is None:
        return
    version, count = file.number(message.start, 1), file.number(message.start + 1, 1)
    at = message.start + (8 if version == 1 else 2)
    for _ in range(count):
        which, named = file.number(at, 2), file.number(at + 2, 2) if version == 1 else 0
        if version not in (1, 2) or which not in (DEFLATE, SHUFFLE, CHECKSUM):
            raise file.unsupported(at, f"filter {which} of version {version}", "deflate, shuffle or checksum")
        values = file.number(at + (6 if version == 1 else 4), 2)
        at += (8 + -(-named // 8) * 8 + 4 * (values + values % 2)) if version == 1 else 6 + 4 * values
        yield which


def _undone(file: File, which: int, raw: bytes | memoryview, size: int, item: int, at: int) -> bytes | memoryview:
    if which == CHECKSUM:
        return raw[:-4]
    if which == SHUFFLE:
        if len(raw) % item:
            raise file.error(at, "a shuffled chunk", f"{len(raw):,} bytes")
        planes: bytes = np.frombuffer(raw, np.uint8).reshape(item, -1).T.tobytes()
        return planes
    try:
        return zlib.decompressobj().decompress(raw, size + 4)
    except zlib.error as error:
        raise file.error(at, "a deflated chunk", str(error)) from None
