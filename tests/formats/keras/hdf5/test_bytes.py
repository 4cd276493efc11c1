"""The bounds on pieces, memory and work that looking at an HDF5 file has."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hdf5_writer import open_file, values, write_model
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.keras.hdf5.bytes import MAX_PIECES, MAX_WORK, WORK_SLACK, HDF5Bytes
from densezoo.formats.limits import EXPANSION_SLACK, MAX_EXPANSION

h5py = pytest.importorskip("h5py")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_names_that_overlap_can_t_fill_the_memory(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        for i in range(50):
            file.create_group("name" * i + "!")
        address = h5py.h5o.get_info(file.id).addr
    file = open_file(tmp_path / "m.h5")
    file._memory = 1000
    with pytest.raises(FormatError, match="no more than a file of this size"):
        file.node(address)


def test_numbers_that_are_decompressed_again_and_again(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(1 << 18, np.float32), compression="gzip")
    file = open_file(tmp_path / "m.h5")
    with pytest.raises(FormatError, match="no more than a file of this size can hold, found a claim of 1,048,576 b"):
        [values(file, "x") for _ in range(20)]


def test_the_limit_of_pieces_leaves_room_for_the_largest_model(tmp_path: Path) -> None:
    write_model(tmp_path / "m.h5", "latest", True, layers=1000)
    file = open_file(tmp_path / "m.h5")
    for i in range(1000):
        values(file, f"dense_{i}/kernel:0")
    assert MAX_PIECES - file._pieces < MAX_PIECES / 3


def source(content: bytes) -> HDF5Bytes:
    return HDF5Bytes(in_memory(Path("m.h5"), io.BytesIO(content)))


@given(st.binary(max_size=20), st.integers(-3, 24), st.integers(1, 8))
def test_numbers_are_little_endian_and_within_the_file(content: bytes, start: int, size: int) -> None:
    if start >= 0 and start + size <= len(content):
        assert source(content).number(start, size) == sum(content[start + i] << 8 * i for i in range(size))
        assert bytes(source(content).piece(start, size, "a thing").read()) == content[start : start + size]
        return
    with pytest.raises(FormatError, match=f"expected a number of {size} bytes, found the end of the file's "):
        source(content).number(start, size)
    with pytest.raises(FormatError, match=f"m.h5: .* at byte {start:,} expected a thing, found a thing should take"):
        source(content).piece(start, size, "a thing")


def test_a_signature_is_expected_with_its_version() -> None:
    source(b"..TREE\1").expect(2, b"TREE\1", "a tree")
    with pytest.raises(FormatError, match=r"at byte 2 expected a tree, b'TREE\\x02', found b'TREE\\x01'; it is broken"):
        source(b"..TREE\1").expect(2, b"TREE\2", "a tree")


def test_memory_that_is_freed_again_and_work_are_held_apart() -> None:
    size = 1000
    memory, work = MAX_EXPANSION * size + EXPANSION_SLACK, MAX_WORK * size + WORK_SLACK
    bounded = source(bytes(size))
    bounded.reserve(0, 1, passing=memory - 1, work=1)
    bounded.reserve(0, 0, passing=memory - 1, work=work - 1)  # all there was of each, and no byte more
    for claim in ({"size": 0, "passing": memory}, {"size": 0, "work": 1}):
        with pytest.raises(
            FormatError, match=f"at byte 7 expected no more .* a claim of {max(claim.values()):,} bytes"
        ):
            bounded.reserve(7, **claim)


def test_pieces_are_counted_whether_numbers_or_not() -> None:
    bounded = source(bytes(8))
    bounded._pieces = 2
    bounded.number(0)
    bounded.piece(0, 1, "a thing")
    with pytest.raises(FormatError, match=f"expected no more than {MAX_PIECES:,} pieces"):
        bounded.number(0)
