"""The indexes of an HDF5 file: B-trees, heaps, arrays. Sections III.A to III.G of the format's specification.

https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

from collections.abc import Iterator

from densezoo.formats.binary import cut
from densezoo.formats.keras.hdf5.bytes import UNDEFINED, HDF5Bytes

MAX_LEVELS = 64
MAX_NAME = 1024  # bytes of a group's member's
HUGE_RECORD = 1, 24  # kind and bytes of a record of a fractal heap's huge object: address, length, number


def btree_v1(source: HDF5Bytes, address: int, kind: int, key_size: int) -> Iterator[int]:
    """The offsets of the entries (key, then address) in the leaves of a version 1 B-tree, in order.

    Args:
        source: the file.
        address: of the B-tree's root.
        kind: of its nodes: 0 for a group's members, 1 for chunks.
        key_size: bytes of a key.
    """
    todo = [(address, MAX_LEVELS)]
    while todo:
        at, levels = todo.pop()
        source.expect(at, b"TREE" + bytes([kind]), "a B-tree")
        level, count = source.number(at + 5, 1), source.number(at + 6, 2)
        if level >= levels:
            raise source.error(at, f"a B-tree's node below level {levels}", f"level {level}")
        source.piece(at + 24, count * (key_size + 8) + key_size, "a B-tree's entries")
        entries = [at + 24 + i * (key_size + 8) for i in range(count)]
        if level == 0:
            yield from entries
        else:
            todo += [(source.number(entry + key_size), level) for entry in reversed(entries)]


def btree_v2(source: HDF5Bytes, address: int, kind: int, record: int) -> Iterator[int]:
    """The offsets of the records of a version 2 B-tree, in any order; inner nodes have records, too.

    Args:
        source: the file.
        address: of the B-tree's header.
        kind: of its records.
        record: bytes of one.
    """
    source.expect(address, b"BTHD\0" + bytes([kind]), "a B-tree")
    node, depth = source.number(address + 6, 4), source.number(address + 12, 2)
    if source.number(address + 10, 2) != record or depth >= MAX_LEVELS:
        raise source.error(address, f"records of {record} bytes, less than {MAX_LEVELS} levels", f"{depth} levels")
    # A pointer to a child has its address, how many records it has and, above leaves, how many are below it. The
    # numbers take as many bytes as the most that a node can have.
    most = below = (node - 10) // record
    count_size, below_size, pointers = _width(most), 0, [0]
    for _ in range(depth):
        pointers.append(8 + count_size + below_size)
        most = (node - 10 - pointers[-1]) // (record + pointers[-1])
        below = (most + 1) * below + most
        below_size = _width(below)
    todo = [(source.number(address + 16), source.number(address + 24, 2), depth)]
    while todo:
        at, count, level = todo.pop()
        if at == UNDEFINED and count == 0:
            continue  # the root of an empty B-tree
        source.expect(at, (b"BTIN\0" if level else b"BTLF\0") + bytes([kind]), "a B-tree's node")
        source.piece(at, 6 + count * record, "a B-tree's records")
        yield from range(at + 6, at + 6 + count * record, record)
        for i in range(count + 1 if level else 0):
            child = at + 6 + count * record + i * pointers[level]
            todo.append((source.number(child), source.number(child + 8, count_size), level - 1))


def _width(most: int) -> int:
    """Bytes of a number that is at most this large."""
    return (most.bit_length() + 7) // 8


class FractalHeap:
    """Objects in blocks of a file. Blocks come in rows; from the second row on, each row's are twice as large.

    Args:
        source: the file.
        address: of the heap's header.
    """

    def __init__(self, source: HDF5Bytes, address: int) -> None:
        source.expect(address, b"FRHP\0", "a fractal heap")
        self.source, self.address = source, address
        id_size, filters, limit = (source.number(address + at, size) for at, size in ((5, 2), (7, 2), (10, 4)))
        huge = source.number(address + 22)
        self.columns, self.block, self.max_direct = (
            source.number(address + at, size) for at, size in ((110, 2), (112, 8), (120, 8))
        )
        self.root, self.rows = source.number(address + 132), source.number(address + 140, 2)
        bits = source.number(address + 128, 2)
        if filters:
            raise source.unsupported(address, "a fractal heap with filters")
        if id_size not in (7, 8) or bits > 64 or self.columns * self.block == 0:
            heap = f"IDs of {id_size} bytes, {bits} bits, rows of {self.columns} blocks of {self.block:,} bytes"
            raise source.error(address, "a fractal heap for links or attributes", heap)
        self.id_size, self.offset_size = id_size, (bits + 7) // 8
        self.length_size = min((self.max_direct.bit_length() + 6) // 8, _width(limit))
        records = [] if huge == UNDEFINED else btree_v2(source, huge, *HUGE_RECORD)
        self.huge = {source.number(at + 16): (source.number(at), source.number(at + 8)) for at in records}

    def find(self, at: int) -> tuple[int, int]:
        """(offset, length in bytes) of the object whose ID is at this offset of the file."""
        kind = self.source.number(at, 1)
        if kind == 0x00:
            size = self.source.number(at + 1 + self.offset_size, self.length_size)
            return self._managed(self.source.number(at + 1, self.offset_size)), size
        if kind == 0x10 and (huge := self.huge.get(self.source.number(at + 1, self.id_size - 1))):
            return huge
        raise self.source.error(at, "the ID of an object in the fractal heap", f"one of kind {kind:#04x}")

    def _managed(self, offset: int) -> int:
        """The offset in the file of a managed object, found from the root block, which is indirect if it has rows."""
        block, rows = self.root, self.rows
        while rows:
            self.source.expect(block, b"FHIB\0", "an indirect block")
            row = (offset // (self.columns * self.block)).bit_length()
            if row >= rows:
                raise self.source.error(block, f"an offset in {rows} rows of blocks", f"one in row {row + 1}")
            size = self.block << max(row - 1, 0)  # of each block in this row
            column, offset = divmod(offset - (self.columns * size if row else 0), size)
            block = self.source.number(block + 13 + self.offset_size + 8 * (row * self.columns + column))
            rows = 0 if size <= self.max_direct else row - self.columns.bit_length() + 1
        self.source.expect(block, b"FHDB\0", "a direct block")
        return block + offset


class FixedArray:
    """Elements of one size, in pages if there are many; each page ends in a checksum.

    Args:
        source: the file.
        address: of the array's header.
    """

    def __init__(self, source: HDF5Bytes, address: int) -> None:
        source.expect(address, b"FAHD\0", "a fixed array")
        self.source, self.size, self.per_page = (
            source,
            source.number(address + 6, 1),
            1 << source.number(address + 7, 1),
        )
        self.count, block = source.number(address + 8), source.number(address + 16)
        source.expect(block, b"FADB\0", "a fixed array's block")
        self.start = self.bitmap = block + 14  # after signature, version, kind and the header's address
        self.paged = self.count > self.per_page
        if self.paged:  # a bit for each page that was written, a checksum
            self.start += (-(-self.count // self.per_page) + 7) // 8 + 4

    def find(self, number: int) -> int:
        """The offset of an element in the file."""
        if number >= self.count:
            raise self.source.error(self.start, f"element {number:,} of a fixed array", f"{self.count:,} of them")
        page = number // self.per_page
        if self.paged and not self.source.number(self.bitmap + page // 8, 1) & 128 >> page % 8:
            raise self.source.error(self.bitmap + page // 8, "elements of a fixed array", f"nothing in page {page}")
        return self.start + number * self.size + 4 * page


def symbol_table(source: HDF5Bytes, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """(name, address) of a group's members: entries in a B-tree, names in a local heap; no soft or external links.

    Args:
        source: the file.
        tree: address of the B-tree.
        heap: address of the heap of names.
    """
    source.expect(heap, b"HEAP", "a heap of names")
    names = source.piece(source.number(heap + 24), source.number(heap + 8), "a heap of names")
    for leaf in btree_v1(source, tree, kind=0, key_size=8):
        table = source.number(leaf + 8)
        source.expect(table, b"SNOD", "a symbol table")
        for entry in range(table + 8, table + 8 + 40 * source.number(table + 6, 2), 40):
            start = source.number(entry)
            rest = cut(names, start, min(MAX_NAME, len(names) - start), "a name")
            name, zero, _ = bytes(rest.read()).partition(b"\0")
            if not zero:
                raise source.error(entry, "a name", f"none at byte {start:,} of its heap")
            source.reserve(entry, len(name))
            if source.number(entry + 16, 4) < 2:
                yield name.decode("utf-8", "replace"), source.number(entry + 8)


def global_heap(source: HDF5Bytes, address: int) -> dict[int, tuple[int, int]]:
    """{number: (offset, length in bytes)} of the objects in a collection of a global heap.

    Args:
        source: the file.
        address: of the collection.
    """
    source.expect(address, b"GCOL\1", "a collection of strings")
    position, end = address + 16, address + source.number(address + 8)
    strings = {}
    while position + 16 <= end and (number := source.number(position, 2)):  # 0 is the free space at the end
        size = source.number(position + 8)
        strings[number] = (position + 16, size)
        position += 16 + -(-size // 8) * 8
    return strings
