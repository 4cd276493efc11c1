"""HDF5 files, read without allocating what they merely claim: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html

The HDF5 library allocates what a broken file claims and can crash on it; this reader knows the parts of the format
that weights are stored with, as every version of the library writes them. A file is groups and datasets; each is a
header of messages, which describe it. Many links or attributes may be in another part of the file, in "dense" storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes
from densezoo.formats.keras.hdf5.bytes import UNDEFINED, HDF5Bytes
from densezoo.formats.keras.hdf5.indexes import FractalHeap, btree_v2, global_heap, symbol_table

MAGIC = b"\x89HDF\r\n\x1a\n"
#: {version of the superblock: where it has the sizes of addresses and lengths, the base address, the file's end, the
#: root's address}
SUPERBLOCKS = {0: (13, 24, 40, 64), 1: (13, 28, 44, 68), 2: (9, 12, 28, 36), 3: (9, 12, 28, 36)}
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE = 1, 2, 3, 6, 7, 8, 11, 12
CONTINUATION, SYMBOLS, ATTRIBUTE_INFO = 16, 17, 21
#: {message that leads to dense storage: (what is there, bytes of a creation index, then of its B-tree's records: kind,
#: bytes, where the ID is)}
DENSE = {LINK_INFO: (LINK, 8, 5, 11, 4), ATTRIBUTE_INFO: (ATTRIBUTE, 2, 8, 17, 0)}
SHARED = 2  # flag of a message that is in another object
STRING, VARIABLE_LENGTH = 3, 9


class Message(NamedTuple):
    """A part of an object's header.

    Args:
        kind: what it describes: DATASPACE, DATATYPE, ...
        start, size: its offset in the file and its length, bytes.
    """

    kind: int
    start: int
    size: int


@dataclass(frozen=True)
class HDF5Object:
    """A group or a dataset.

    Args:
        messages: of its header, its dense links and attributes included.
        members: {name: address of its header} of a group's members, without soft and external links.
    """

    messages: list[Message]
    members: dict[str, int]

    def message(self, kind: int) -> Message | None:
        """The first message of a kind; None if there is none."""
        return next((message for message in self.messages if message.kind == kind), None)


class File(HDF5Bytes):
    """An HDF5 file.

    Args:
        data: the whole file.

    Raises:
        FormatError: another version of the format; broken or truncated. All methods raise it.
    """

    def __init__(self, data: Bytes) -> None:
        super().__init__(data)
        self._collections: dict[int, dict[int, tuple[int, int]]] = {}
        self.expect(0, MAGIC, "an HDF5 file")
        version = self.number(8, 1)
        if version not in SUPERBLOCKS:
            raise self.error(8, "a superblock of version 0 to 3", f"version {version}")
        sizes, base, end, root = SUPERBLOCKS[version]
        self.expect(sizes, b"\x08\x08", "addresses and lengths of 8 bytes")
        self.expect(base, bytes(8), "addresses from the file's start")
        self.piece(0, self.number(end), "the whole file")
        self.root = self.node(self.number(root))

    def node(self, address: int) -> HDF5Object:
        """The object whose header is at this address."""
        messages = list(self._header(address))
        for message in list(messages):
            if message.kind in DENSE:
                messages += self._dense(message)
        members: dict[str, int] = {}
        for message in messages:
            if message.kind == SYMBOLS:
                members.update(symbol_table(self, self.number(message.start), self.number(message.start + 8)))
            elif message.kind == LINK:
                members.update(self._link(message.start))
        return HDF5Object(messages, members)

    def find(self, node: HDF5Object, path: str) -> HDF5Object:
        """The object that a group's path leads to."""
        for name in filter(None, path.split("/")):
            if name not in node.members:
                raise FormatError(
                    f"{self.path}: there is no {path} in the HDF5 file; it is truncated or of another kind"
                )
            node = self.node(node.members[name])
        return node

    def _header(self, address: int) -> Iterator[Message]:
        """Kind, size, flags and data of each message, in blocks; a continuation leads to one more.

        Version 1 pads everything to 8 bytes; version 2 doesn't, has optional fields, and signs each block.
        """
        newer = bytes(self.piece(address, 4, "an object header").read()) == b"OHDR"
        if newer:
            self.expect(address + 4, b"\2", "an object header's version")
            flags = self.number(address + 5, 1)
            size_at, size_size = address + 6 + 16 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1), 1 << (flags & 3)
            first, kind_size, head = size_at + size_size, 1, 4 + 2 * (flags >> 2 & 1)
        else:
            self.expect(address, b"\1", "an object header of version 1 or 2")
            size_at, size_size, first, kind_size, head = address + 8, 4, address + 16, 2, 8
        blocks = [(first, self.number(size_at, size_size))]
        for start, size in blocks:
            end = start + size
            self.piece(start, size, "a block of an object header")
            while start + head <= end:  # less than that is a gap
                kind, length = self.number(start, kind_size), self.number(start + kind_size, 2)
                flags, start = self.number(start + kind_size + 2, 1), start + head
                if start + length > end:
                    raise self.error(start, f"a message that ends at byte {end:,}", f"one of {length:,} bytes")
                if flags & SHARED and kind in (DATASPACE, DATATYPE, FILTERS, ATTRIBUTE):
                    raise self.unsupported(start, f"a message of kind {kind} that is in another object")
                if kind == CONTINUATION:
                    blocks.append(self._continuation(start, newer))
                else:
                    yield Message(kind, start, length)
                start += length

    def _continuation(self, at: int, newer: bool) -> tuple[int, int]:
        start, size = self.number(at), self.number(at + 8)
        if not newer:
            return start, size
        self.expect(start, b"OCHK", "a continuation of an object header")
        return start + 4, max(size - 8, 0)  # without its signature and its checksum

    def _dense(self, info: Message) -> Iterator[Message]:
        """Links or attributes that are too many or too large for the header: in a heap, found through a B-tree."""
        kind, index_size, record_kind, record_size, id_at = DENSE[info.kind]
        at = info.start + 2 + index_size * (self.number(info.start + 1, 1) & 1)
        if self.number(at) == UNDEFINED:
            return
        heap = FractalHeap(self, self.number(at))
        for record in btree_v2(self, self.number(at + 8), record_kind, record_size):
            yield Message(kind, *heap.find(record + id_at))

    def _link(self, at: int) -> dict[str, int]:
        """{name: address}; empty if the link is soft or external."""
        self.expect(at, b"\1", "a link of version 1")
        flags, position = self.number(at + 1, 1), at + 2
        hard = not flags & 8 or self.number(position, 1) == 0
        position += (flags >> 3 & 1) + 8 * (flags >> 2 & 1) + (flags >> 4 & 1)  # kind, creation order, character set
        size = self.number(position, 1 << (flags & 3))
        position += 1 << (flags & 3)
        self.reserve(at, size)
        name = bytes(self.piece(position, size, "a link's name").read()).decode("utf-8", "replace")
        return {name: self.number(position + size)} if hard else {}

    def texts(self, node: HDF5Object, name: str) -> list[str] | None:
        """The strings of an attribute; None if the object has no attribute of this name."""
        for message in node.messages:
            if message.kind == ATTRIBUTE:
                attribute, datatype, space, start = self._attribute(message.start)
                if attribute == name:
                    if self.number(message.start, 1) > 1 and self.number(message.start + 1, 1):
                        raise self.unsupported(message.start, "an attribute whose datatype is in another object")
                    return self._texts(datatype, self.shape(space)[0], start, message.start + message.size)
        return None

    def _attribute(self, at: int) -> tuple[str, int, int, int]:
        """(name, offset of its datatype, of its dataspace, of its values)."""
        version = self.number(at, 1)
        if version not in (1, 2, 3):
            raise self.error(at, "an attribute of version 1 to 3", f"version {version}")
        sizes = [self.number(at + 2 + 2 * i, 2) for i in range(3)]
        padded = [-(-size // 8) * 8 for size in sizes] if version == 1 else sizes
        start = at + (9 if version == 3 else 8)
        raw = bytes(self.piece(start, sizes[0], "an attribute's name").read())
        datatype = start + padded[0]
        space = datatype + padded[1]
        name = raw.partition(b"\0")[0].decode("utf-8", "replace")
        return name, datatype, space, space + padded[2]

    def _texts(self, datatype: int, shape: list[int], start: int, end: int) -> list[str]:
        kind, size = self.number(datatype, 1) & 15, self.number(datatype + 4, 4)
        count = prod(shape)
        if count == 0:  # numpy has no empty array of strings: h5py writes one of numbers
            return []
        if size == 0 or kind not in (STRING, VARIABLE_LENGTH) or count * size > end - start:
            raise self.error(start, "an attribute of strings", f"kind {kind}, {count:,} of {size:,} bytes")
        out = []
        for at in range(start, start + count * size, size):
            position, length = self._referred(at) if kind == VARIABLE_LENGTH else (at, size)
            self.reserve(at, length)
            raw = bytes(self.piece(position, length, "a string").read())
            out.append(raw.partition(b"\0")[0].decode("utf-8", "replace"))
        return out

    def _referred(self, at: int) -> tuple[int, int]:
        """(offset, length in bytes) of a string in a collection; the reference is length, collection and number."""
        length, address, number = self.number(at, 4), self.number(at + 4), self.number(at + 12, 4)
        if length == 0:
            return at, 0
        if address not in self._collections:
            self._collections[address] = global_heap(self, address)
        if number not in self._collections[address]:
            raise self.error(at, f"string {number} of the collection at byte {address:,}", "none")
        start, size = self._collections[address][number]
        return start, min(length, size)

    def shape(self, at: int) -> tuple[list[int], list[int]]:
        """The sides of a dataspace, and the sides up to which it may grow."""
        version, rank, flags = self.number(at, 1), self.number(at + 1, 1), self.number(at + 2, 1)
        if version not in (1, 2) or rank > 8:
            raise self.error(at, "a dataspace of version 1 or 2 and up to 8 sides", f"version {version}, {rank} sides")
        start = at + (8 if version == 1 else 4)
        sides = [self.number(start + 8 * i) for i in range(rank * (1 + (flags & 1)))]
        return sides[:rank], sides[-rank:] if rank else []
