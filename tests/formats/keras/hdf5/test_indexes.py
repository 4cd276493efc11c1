"""Links in B-trees, heaps and arrays: as h5py writes them, and field by field, where a field lies."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hdf5_writer import header, info, new_file, open_file
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.keras.hdf5.bytes import HDF5Bytes
from densezoo.formats.keras.hdf5.indexes import FixedArray, btree_v1, global_heap, symbol_table

h5py = pytest.importorskip("h5py")


@pytest.mark.parametrize(
    ("libver", "count", "length"),
    [
        *(("earliest", count, length) for count, length in [(0, 1), (9, 1000), (4000, 200)]),
        *(("latest", count, length) for count, length in [(0, 1), (1, 1), (9, 300), (3, 5000), (4000, 200)]),
    ],
)
def test_links_in_headers_in_blocks_and_in_blocks_of_blocks(
    tmp_path: Path, count: int, length: int, libver: str
) -> None:
    names = {f"{i:04}" + "n" * length for i in range(count)}
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        target = file.create_group("group")
        for name in names:
            file[name] = target
        file["soft"] = h5py.SoftLink("/group")
        if libver == "latest":  # it would make the group a newer one
            file["external"] = h5py.ExternalLink("other.h5", "/group")
        address = h5py.h5o.get_info(target.id).addr
    assert open_file(tmp_path / "m.h5").root.members == dict.fromkeys(names | {"group"}, address)


def heap(
    width: int = 4, block: int = 512, direct: int = 1 << 16, bits: int = 32, root: int = 0, rows: int = 0
) -> bytes:
    """A fractal heap's header."""
    fixed = b"FRHP\0" + struct.pack("<HHBI", 7, 0, 0, 4096) + bytes(8) + b"\xff" * 8 + bytes(80)
    return fixed + struct.pack("<HQQHHQH", width, block, direct, bits, 0, root, rows) + bytes(4)


def tree(root: int, count: int, depth: int = 0, node: int = 512, record: int = 11) -> bytes:
    return b"BTHD\0\5" + struct.pack("<IHHBBQHQ", node, record, depth, 100, 40, root, count, count) + bytes(4)


ROOT_SIZE, HEAP_SIZE, TREE_SIZE = len(header(info(2, 0, 0))), len(heap()), len(tree(0, 0))


HEAP_AT = 48 + ROOT_SIZE


TREE_AT, LEAF_AT = HEAP_AT + HEAP_SIZE, HEAP_AT + HEAP_SIZE + TREE_SIZE


BLOCK_AT = LEAF_AT + 32


def dense(heap_header: bytes, tree_header: bytes, heap_id: bytes, block: bytes, node: bytes = b"BTLF\0\5") -> bytes:
    """A file whose root has one dense link."""
    leaf = (node + bytes(4) + heap_id).ljust(32, b"\0")
    return new_file(header(info(2, HEAP_AT, TREE_AT)), heap_header, tree_header, leaf, block)


DIRECT = b"FHDB\0" + bytes(8) + bytes(4) + b"\x01\x00\x01x" + struct.pack("<Q", 48)


GOOD = heap(root=BLOCK_AT), tree(LEAF_AT, 1), b"\0" + struct.pack("<IH", 17, 12), DIRECT


INDIRECT = b"FHIB\0" + bytes(8) + bytes(4) + struct.pack("<Q", BLOCK_AT) * 40


DENSE_LIES: dict[str, tuple[tuple[bytes, ...], str]] = {
    "no bits": ((heap(root=BLOCK_AT, bits=65535), *GOOD[1:]), "a fractal heap for links"),
    "no columns": ((heap(root=BLOCK_AT, width=0), *GOOD[1:]), "a fractal heap for links"),
    "no block": ((heap(root=BLOCK_AT, block=0), *GOOD[1:]), "a fractal heap for links"),
    "blocks in a circle": (
        (heap(root=BLOCK_AT, rows=40, block=1, direct=1), GOOD[1], b"\0" + struct.pack("<IH", 1 << 31, 12), INDIRECT),
        "",
    ),
    "an offset beyond its rows": (
        (heap(root=BLOCK_AT, rows=2), GOOD[1], b"\0" + struct.pack("<IH", 1 << 30, 12), INDIRECT),
        "an offset in 2 rows",
    ),
    "an offset beyond the end": ((*GOOD[:2], b"\0" + struct.pack("<IH", 1 << 30, 12), DIRECT), ""),
    "a huge object that isn't there": ((*GOOD[:2], b"\x10" + bytes(6), DIRECT), "the ID of an object"),
    "a tiny object": ((*GOOD[:2], b"\x20" + bytes(6), DIRECT), "the ID of an object"),
    "a tree too deep": ((GOOD[0], tree(LEAF_AT, 1, depth=65535), *GOOD[2:]), "levels"),
    "other records": ((GOOD[0], tree(LEAF_AT, 1, record=0), *GOOD[2:]), "records of 11 bytes"),
    "nodes of no size": ((GOOD[0], tree(LEAF_AT, 1, depth=3, node=0), *GOOD[2:]), "a B-tree's node"),
    "records beyond the end": ((GOOD[0], tree(LEAF_AT, 65535), *GOOD[2:]), "a B-tree's records"),
    "an inner node in a circle": (
        (GOOD[0], tree(LEAF_AT, 0, depth=60), struct.pack("<Q", LEAF_AT), DIRECT, b"BTIN\0\5"),
        "",
    ),
}


def test_a_dense_link_field_by_field(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(dense(*GOOD))
    assert open_file(tmp_path / "m.h5").root.members == {"x": 48}


def test_an_empty_tree(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(dense(GOOD[0], tree((1 << 64) - 1, 0), *GOOD[2:]))
    assert open_file(tmp_path / "m.h5").root.members == {}


@pytest.mark.parametrize("lie", DENSE_LIES)
def test_dense_links_that_lie(tmp_path: Path, lie: str) -> None:
    parts, expected = DENSE_LIES[lie]
    (tmp_path / "m.h5").write_bytes(dense(*parts))
    with pytest.raises(FormatError, match=rf"m\.h5: .* at byte [\d,]+ expected .*{expected}"):
        open_file(tmp_path / "m.h5")


def entries(content: bytes, address: int) -> list[int]:
    """The keys, 8 bytes each, that a B-tree's leaves hold in order."""
    source = bytes_of(content)
    return [source.number(at) for at in btree_v1(source, address, kind=0, key_size=8)]


def bytes_of(content: bytes) -> HDF5Bytes:
    return HDF5Bytes(in_memory(Path("m.h5"), io.BytesIO(content)))


def node(level: int, children: list[tuple[int, int]], kind: int = 0) -> bytes:
    """A version 1 B-tree's node of (key, address) with siblings that nobody follows, and the key after the last."""
    pairs = b"".join(struct.pack("<QQ", *child) for child in children)
    return b"TREE" + struct.pack("<BBHQQ", kind, level, len(children), 0, 0) + pairs + bytes(8)


@given(st.lists(st.integers(0, 1 << 40), max_size=40), st.integers(1, 5))
def test_a_b_tree_s_entries_come_in_order_whatever_its_shape(keys: list[int], width: int) -> None:
    content, level = b"", 0
    children = [(key, 0) for key in keys]
    while True:
        nodes = [children[i : i + width] for i in range(0, len(children), width)] or [[]]
        children = []
        for pairs in nodes:
            children.append((pairs[0][0] if pairs else 0, len(content)))
            content += node(level, pairs)
        if len(children) == 1:
            break
        level, width = level + 1, max(width, 2)
    assert entries(content, children[0][1]) == keys


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (node(64, [(1, 0)]), "a B-tree's node below level 64, found level 64"),
        (node(3, [(1, 0)]), "a B-tree's node below level 3, found level 3"),  # of itself
        (node(0, [(1, 0)])[:-9], "a B-tree's entries"),
        (node(0, [], kind=1), r"a B-tree, b'TREE\\x00'"),
    ],
    ids=["too many levels", "in a circle", "cut off", "another kind"],
)
def test_b_trees_that_lie(content: bytes, expected: str) -> None:
    with pytest.raises(FormatError, match=f"at byte [0-9]+ expected {expected}"):
        entries(content, 0)


def test_a_symbol_table_names_what_it_links_to_and_leaves_soft_links_out() -> None:
    names = b"\0a\0bc\0soft\0"
    table = b"SNOD\1\0" + struct.pack("<H", 3)
    for start, address, kind in ((1, 1000, 0), (3, 2000, 1), (6, 3000, 2)):
        table += struct.pack("<QQIIQQ", start, address, kind, 0, 0, 0)
    heap_at, table_at, names_at = 48, 80, 208
    content = (node(0, [(0, table_at)]) + b"HEAP" + bytes(4) + struct.pack("<QQQ", len(names), 0, names_at)) + table
    assert (len(node(0, [(0, 0)])), len(content)) == (heap_at, names_at)
    assert dict(symbol_table(bytes_of(content + names), 0, heap_at)) == {"a": 1000, "bc": 2000}
    with pytest.raises(FormatError, match="expected a name, found none at byte 6 of its heap"):
        dict(symbol_table(bytes_of(content + names.replace(b"t\0", b"tt")), 0, heap_at))


def test_a_global_heap_s_objects_are_padded_to_eight_bytes() -> None:
    objects = b"".join(
        struct.pack("<HHIQ", number, 1, 0, len(text)) + text.ljust(-(-len(text) // 8) * 8, b"\0")
        for number, text in ((1, b"abc"), (7, b"12345678"), (9, b"123456789"))
    )
    content = b"GCOL\1\0\0\0" + struct.pack("<Q", 16 + len(objects) + 16) + objects + bytes(16) + b"beyond its end"
    found = global_heap(bytes_of(content), 0)
    assert {number: content[at : at + size] for number, (at, size) in found.items()} == {
        1: b"abc",
        7: b"12345678",
        9: b"123456789",
    }


def fixed_array(count: int, page_bits: int, bitmap: bytes, elements: bytes) -> bytes:
    header = b"FAHD\0\0" + struct.pack("<BBQQ", 8, page_bits, count, 28) + bytes(4)
    return header + b"FADB\0\0" + bytes(8) + bitmap + elements


def test_a_fixed_array_in_one_piece_and_in_pages() -> None:
    numbers = [10, 11, 12, 13, 14]
    whole = b"".join(struct.pack("<Q", number) for number in numbers)
    source = bytes_of(fixed_array(5, 10, b"", whole))
    assert [source.number(FixedArray(source, 0).find(i)) for i in range(5)] == numbers
    # pages of two, each with a checksum; the second was never written
    pages = b"".join(whole[at : at + 16] + b"sum." for at in (0, 16, 32))
    source = bytes_of(fixed_array(5, 1, bytes([0b1010_0000]) + b"sum.", pages))
    array = FixedArray(source, 0)
    assert [source.number(array.find(i)) for i in (0, 1, 4)] == [10, 11, 14]
    with pytest.raises(FormatError, match="expected elements of a fixed array, found nothing in page 1"):
        array.find(2)
    with pytest.raises(FormatError, match="expected element 5 of a fixed array, found 5 of them"):
        array.find(5)
