"""HDF5 files as h5py writes them by default, read within their own bytes: https://support.hdfgroup.org/documentation/

The HDF5 library allocates what a broken file claims and can crash on it; this reader knows the part of the format
(version 1 object headers, symbol tables, contiguous and chunked data, deflate and shuffle) that Keras's files use.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import EXPANSION_SLACK, MAX_EXPANSION, cut, to_tensor

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 200_000  # blocks that are looked at; a Keras file of DenseNet-201 has 8,000
UNDEFINED = 0xFFFFFFFFFFFFFFFF
DATASPACE, DATATYPE, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, CONTINUATION, SYMBOLS = 1, 3, 7, 8, 11, 12, 16, 17
DEFLATE, SHUFFLE, CHECKSUM = 1, 2, 3


@dataclass(frozen=True)
class Message:
    """A part of an object's header: what it describes and where its bytes are."""

    kind: int
    start: int
    size: int


@dataclass
class Node:
    """A group or a dataset.

    Args:
        members: {name: address of its header}, of a group.
        messages: the header's.
    """

    members: dict[str, int] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    def message(self, kind: int) -> Message | None:
        """The first message of a kind."""
        return next((message for message in self.messages if message.kind == kind), None)


class File:
    """An HDF5 file.

    Args:
        path: for messages.
        data: its bytes.

    Raises:
        FormatError: another version of the format; broken or truncated. So do all methods.
    """

    def __init__(self, path: Path, data: memoryview) -> None:
        self.path, self.data = path, data
        self._left, self._budget = MAX_OBJECTS, MAX_EXPANSION * len(data) + EXPANSION_SLACK
        if bytes(data[:8]) != MAGIC or len(data) < 96 or bytes(data[13:15]) != b"\x08\x08" or data[8] != 0:
            raise self.error(8, "superblock version 0 with 8-byte addresses (h5py's default)", f"{bytes(data[8:16])!r}")
        if self.number(24) != 0:
            raise self.error(24, "addresses from the file's start", f"a base of {self.number(24):,}")
        self.root = self.node(self.number(64))

    def error(self, at: int, expected: str, found: str) -> FormatError:
        return FormatError(
            f"{self.path}: an HDF5 file by its first bytes, but at byte {at:,} expected {expected}, found {found}; it "
            "is broken, truncated, or not Keras's: fetch it anew"
        )

    def piece(self, start: int, size: int, what: str) -> memoryview:
        """A piece of the file."""
        self._left -= 1
        if self._left < 0:
            raise self.error(start, f"no more than {MAX_OBJECTS:,} pieces", "more")
        try:
            return cut(self.data, start, size, what)
        except FormatError as error:
            raise self.error(start, what, str(error)) from None

    def number(self, start: int, size: int = 8) -> int:
        """A little-endian number."""
        return int.from_bytes(self.piece(start, size, f"a number of {size} bytes"), "little")

    def node(self, address: int) -> Node:
        """The object whose header is at this address."""
        node = Node(messages=list(self._messages(address)))
        table = node.message(SYMBOLS)
        if table is not None:
            node.members = self._members(self.number(table.start), self.number(table.start + 8))
        return node

    def find(self, node: Node, path: str) -> Node:
        """The object that a group's path leads to."""
        for name in filter(None, path.split("/")):
            if name not in node.members:
                raise FormatError(f"{self.path}: there is no {path} in the HDF5 file; it is truncated or not Keras's")
            node = self.node(node.members[name])
        return node

    def _messages(self, address: int) -> Iterator[Message]:
        """Version 1: 16 bytes, then messages of 8 bytes and their data; a continuation has more of them."""
        if self.number(address, 1) != 1:
            raise self.error(address, "an object header of version 1", f"{bytes(self.data[address : address + 4])!r}")
        blocks = [(address + 16, self.number(address + 8, 4))]
        for start, size in blocks:
            end = start + size
            self.piece(start, size, "an object header")
            while start + 8 <= end:
                kind, length, flags = self.number(start, 2), self.number(start + 2, 2), self.number(start + 4, 1)
                if start + 8 + length > end or (flags & 2 and kind in (DATATYPE, DATASPACE)):
                    raise self.error(start, f"a message that ends at byte {end:,}", f"{length:,} bytes, flags {flags}")
                if kind == CONTINUATION:
                    blocks.append((self.number(start + 8), self.number(start + 16)))
                else:
                    yield Message(kind, start + 8, length)
                start += 8 + length

    def _members(self, tree: int, heap: int) -> dict[str, int]:
        """{name: address}: a B-tree of symbol tables, names in a heap; soft and external links are left out."""
        if bytes(self.piece(heap, 32, "a heap")[:4]) != b"HEAP":
            raise self.error(heap, "a heap of names", f"{bytes(self.data[heap : heap + 4])!r}")
        names = self.piece(self.number(heap + 24), self.number(heap + 8), "a heap of names")
        found: dict[str, int] = {}
        for table in self._leaves(tree, kind=0, key=8):
            if bytes(self.piece(table, 8, "a symbol table")[:4]) != b"SNOD":
                raise self.error(table, "a symbol table", f"{bytes(self.data[table : table + 4])!r}")
            for entry in range(table + 8, table + 8 + 40 * self.number(table + 6, 2), 40):
                start = self.number(entry)
                end = bytes(names[start : start + 1024]).find(b"\0")
                if end < 0:
                    raise self.error(entry, "a name", f"none at byte {start:,} of its heap")
                if self.number(entry + 16, 4) < 2:
                    found[bytes(names[start : start + end]).decode("utf-8", "replace")] = self.number(entry + 8)
        return found

    def _leaves(self, address: int, kind: int, key: int) -> Iterator[int]:
        """What the leaves of a version 1 B-tree point to, in order; of chunks (kind 1), where the keys are."""
        todo = [(address, 64)]
        while todo:
            at, levels = todo.pop()
            head = self.piece(at, 24, "a B-tree")
            level, count = head[5], int.from_bytes(head[6:8], "little")
            if bytes(head[:4]) != b"TREE" or head[4] != kind or level >= levels:
                raise self.error(at, f"a B-tree of kind {kind} below level {levels}", f"{bytes(head[:8])!r}")
            self.piece(at + 24, count * (key + 8) + key, "a B-tree's entries")
            places = [at + 24 + i * (key + 8) for i in range(count)]
            if level == 0:
                yield from (place if kind else self.number(place + key) for place in places)
            else:
                todo += [(self.number(place + key), level) for place in reversed(places)]

    def texts(self, node: Node, name: str) -> list[str] | None:
        """An attribute of strings; None where there is none of this name."""
        for message in node.messages:
            if message.kind == ATTRIBUTE:
                found, datatype, shape, start = self._attribute(message)
                if found == name:
                    return self._texts(datatype, shape, start, message.start + message.size)
        return None

    def _attribute(self, message: Message) -> tuple[str, int, list[int], int]:
        """(name, where its datatype is, shape, where its values are)."""
        at = message.start
        version = self.number(at, 1)
        if version not in (1, 2, 3):
            raise self.error(at, "an attribute of version 1 to 3", f"version {version}")
        sizes = [self.number(at + 2 + 2 * i, 2) for i in range(3)]
        padded = [-(-size // 8) * 8 for size in sizes] if version == 1 else sizes
        start = at + (9 if version == 3 else 8)
        raw = bytes(self.piece(start, sizes[0], "an attribute's name"))
        datatype = start + padded[0]
        space = datatype + padded[1]
        name = raw.partition(b"\0")[0].decode("utf-8", "replace")
        return name, datatype, self._shape(space), space + padded[2]

    def _texts(self, datatype: int, shape: list[int], start: int, end: int) -> list[str]:
        kind, size = self.number(datatype, 1) & 15, self.number(datatype + 4, 4)
        count = prod(shape)
        if count == 0:  # numpy has no empty array of strings: h5py writes one of numbers
            return []
        if size == 0 or kind not in (3, 9) or count * size > end - start:
            raise self.error(start, "an attribute of strings", f"kind {kind}, {count:,} of {size:,} bytes")
        out = []
        for at in range(start, start + count * size, size):
            raw = self._from_heap(at) if kind == 9 else bytes(self.piece(at, size, "a string"))
            out.append(raw.partition(b"\0")[0].decode("utf-8", "replace"))
        return out

    def _from_heap(self, at: int) -> bytes:
        """A string of any length: its length, the address of a collection, its number there."""
        length, collection, wanted = self.number(at, 4), self.number(at + 4), self.number(at + 12, 4)
        if bytes(self.piece(collection, 16, "a collection of strings")[:4]) != b"GCOL":
            raise self.error(
                collection, "a collection of strings", f"{bytes(self.data[collection : collection + 4])!r}"
            )
        place, end = collection + 16, collection + self.number(collection + 8)
        while place + 16 <= end:
            number, size = self.number(place, 2), self.number(place + 8)
            if number == wanted:
                self._spend(length, place)
                return bytes(self.piece(place + 16, min(length, size), "a string"))
            place += 16 + -(-size // 8) * 8
        raise self.error(at, f"string {wanted} of the collection at byte {collection:,}", "none")

    def _shape(self, at: int) -> list[int]:
        version, rank = self.number(at, 1), self.number(at + 1, 1)
        if version not in (1, 2) or rank > 8:
            raise self.error(at, "a dataspace of version 1 or 2 and up to 8 sides", f"version {version}, {rank} sides")
        return [self.number(at + (8 if version == 1 else 4) + 8 * i) for i in range(rank)]

    def _spend(self, count: int, at: int) -> None:
        self._budget -= count
        if self._budget < 0:
            raise self.error(at, "no more than the file can hold", f"a claim of {count:,} bytes")

    def tensor(self, node: Node, what: str) -> Tensor:
        """The numbers of a dataset."""
        space, kind, layout = (node.message(which) for which in (DATASPACE, DATATYPE, LAYOUT))
        if space is None or kind is None or layout is None or node.message(EXTERNAL) is not None:
            raise FormatError(f"{self.path}: {what} is no dataset with its numbers in this file")
        shape, dtype = self._shape(space.start), self._dtype(kind.start)
        size, at = prod(shape) * np.dtype(dtype).itemsize, layout.start
        version, how = self.number(at, 1), self.number(at + 1, 1)
        if version != 3 or how > 2:
            raise self.error(at, "a layout of version 3", f"version {version}, class {how}")
        self._spend(size, at)
        if how == 2:
            return self._chunked(node, at, shape, dtype, what)
        start, there = (at + 4, self.number(at + 2, 2)) if how == 0 else (self.number(at + 2), self.number(at + 10))
        if there != size or start == UNDEFINED:
            raise self.error(at, f"{size:,} bytes of {what}, of shape {tuple(shape)}", f"{there:,}")
        return to_tensor(self.piece(start, size, what), dtype, shape, f"{self.path}: {what}")

    def _dtype(self, at: int) -> str:
        kind, order, size = self.number(at, 1) & 15, self.number(at + 1, 1) & 1, self.number(at + 4, 4)
        letter = {0: "i" if self.number(at + 1, 1) & 8 else "u", 1: "f"}.get(kind)
        if letter is None or (letter, size) not in {
            ("f", 2),
            ("f", 4),
            ("f", 8),
            ("i", 4),
            ("i", 8),
            ("u", 1),
            ("i", 1),
        }:
            raise self.error(at, "numbers", f"a datatype of class {kind} and {size} bytes")
        return f"{'>' if order else '<'}{letter}{size}"

    def _chunked(self, node: Node, at: int, shape: list[int], dtype: str, what: str) -> Tensor:
        """Chunks that may be deflated and shuffled; every number has to be in one of them."""
        rank = self.number(at + 2, 1) - 1
        sides = [self.number(at + 11 + 4 * i, 4) for i in range(rank)]
        if rank != len(shape) or not sides or min(sides) < 1:
            raise self.error(at, f"chunks of {len(shape)} sides", f"{sides}")
        filters = list(self._filters(node))
        item = np.dtype(dtype).itemsize
        self._spend(prod(sides) * item, at)
        out, filled = np.empty(shape, dtype), 0
        key = 8 + 8 * (rank + 1)
        for place in self._leaves(self.number(at + 3), kind=1, key=key):
            origin = [self.number(place + 8 + 8 * i) for i in range(rank)]
            stored = self.piece(self.number(place + key), self.number(place, 4), f"a chunk of {what}")
            skipped = self.number(place + 4, 4)
            raw: bytes | memoryview = stored
            for i, which in reversed(list(enumerate(filters))):
                raw = raw if skipped >> i & 1 else self._undone(which, raw, prod(sides) * item, item, place)
            if len(raw) != prod(sides) * item or any(begin >= side for begin, side in zip(origin, shape)):
                raise self.error(place, f"a chunk of {sides} within {shape}", f"{len(raw):,} bytes at {origin}")
            chunk = np.frombuffer(raw, dtype).reshape(sides)
            target = out[tuple(slice(begin, begin + side) for begin, side in zip(origin, sides))]
            target[...] = chunk[tuple(slice(0, side) for side in target.shape)]
            filled += target.size
        if filled != out.size:
            raise self.error(at, f"{out.size:,} numbers of {what} in its chunks", f"{filled:,}")
        return torch.from_numpy(out.astype(out.dtype.newbyteorder("="), copy=False))

    def _filters(self, node: Node) -> Iterator[int]:
        message = node.message(FILTERS)
        if message is None:
            return
        version, count = self.number(message.start, 1), self.number(message.start + 1, 1)
        at = message.start + (8 if version == 1 else 2)
        for _ in range(count):
            which, named = self.number(at, 2), self.number(at + 2, 2) if version == 1 else 0
            if version not in (1, 2) or which not in (DEFLATE, SHUFFLE, CHECKSUM):
                raise self.error(at, "deflate, shuffle or checksum", f"filter {which} of version {version}")
            values = self.number(at + (6 if version == 1 else 4), 2)
            at += (8 + -(-named // 8) * 8 + 4 * (values + values % 2)) if version == 1 else 6 + 4 * values
            yield which

    def _undone(self, which: int, raw: bytes | memoryview, size: int, item: int, at: int) -> bytes | memoryview:
        if which == CHECKSUM:
            return raw[:-4]
        if which == SHUFFLE:
            if len(raw) % item:
                raise self.error(at, "a shuffled chunk", f"{len(raw):,} bytes")
            planes = np.frombuffer(raw, np.uint8).reshape(item, -1)
            return np.ascontiguousarray(planes.T).data.cast("B")
        try:
            return zlib.decompressobj().decompress(raw, size + 4)
        except zlib.error as error:
            raise self.error(at, "a deflated chunk", str(error)) from None
