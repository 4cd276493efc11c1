"""The numbers of datasets: in one piece or in chunks, as h5py writes them, and as files claim them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdf5_writer import open_file, values

from densezoo.errors import FormatError
from densezoo.formats.keras.hdf5.datasets import read_tensor

h5py = pytest.importorskip("h5py")


NUMBERS = np.arange(40 * 70, dtype=np.float32).reshape(40, 70)


CHUNKS: dict[str, dict[str, Any]] = {
    "single": {"chunks": (40, 70)},
    "single with filters": {"chunks": (40, 70), "compression": "gzip", "shuffle": True},
    "fixed array": {"chunks": (7, 9)},
    "fixed array with filters": {"chunks": (7, 9), "compression": "gzip", "fletcher32": True},
    "pages": {"chunks": (1, 2)},
    "pages with filters": {"chunks": (1, 2), "compression": "gzip"},
    "room to grow": {"chunks": (7, 9), "maxshape": (80, 99)},
}


@pytest.mark.parametrize("kind", CHUNKS)
@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "latest"])
def test_indexes_of_chunks(tmp_path: Path, libver: str, kind: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        file.create_dataset("x", data=NUMBERS, **CHUNKS[kind])
    assert values(open_file(tmp_path / "m.h5"), "x") == NUMBERS.tolist()


@pytest.mark.parametrize("chunks", [(40, 70), (10, 70)])
@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_chunks_without_the_filters_of_their_dataset(tmp_path: Path, libver: str, chunks: tuple[int, int]) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        x = file.create_dataset("x", NUMBERS.shape, "f4", chunks=chunks, shuffle=True, compression="gzip")
        for row in range(0, 40, chunks[0]):
            stored = zlib.compress(NUMBERS[row : row + chunks[0]].tobytes())
            x.id.write_direct_chunk((row, 0), stored, filter_mask=1)  # not shuffled
    assert values(open_file(tmp_path / "m.h5"), "x") == NUMBERS.tolist()


def test_chunks_at_the_edge_without_filters_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver="v110") as file:
        file.create_dataset("x", data=NUMBERS, chunks=(7, 9))
    content = (tmp_path / "m.h5").read_bytes()
    layout = bytes([4, 2, 0, 3, 1, 7, 9, 4, 3])  # version, class, flags, sides, bytes of a side, sides, index
    assert content.count(layout) == 1
    (tmp_path / "m.h5").write_bytes(content.replace(layout, layout[:2] + b"\1" + layout[3:]))
    with pytest.raises(FormatError, match="index 3, flags 1"):
        values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("filters", [{"compression": "lzf"}, {"scaleoffset": 3}])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_other_filters_are_refused(tmp_path: Path, libver: str, filters: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        file.create_dataset("x", data=NUMBERS, **filters)
    with pytest.raises(FormatError, match=r"has filter \d+ .* where deflate, shuffle or checksum is .*h5repack"):
        values(open_file(tmp_path / "m.h5"), "x")


def test_more_chunks_than_their_array_has(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver="latest") as file:
        file.create_dataset("x", data=NUMBERS, chunks=(7, 9))
    content = bytearray((tmp_path / "m.h5").read_bytes())
    struct.pack_into("<Q", content, content.index(b"FAHD") + 8, 47)
    (tmp_path / "m.h5").write_bytes(content)
    with pytest.raises(FormatError, match="expected element 47 of a fixed array, found 47 of them"):
        values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("limits", [(40, 70), (60, 80)])
def test_chunks_without_an_index(tmp_path: Path, limits: tuple[int, int]) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver="latest") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((7, 9))
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple(NUMBERS.shape, limits)
        dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, properties)
        h5py.Dataset(dataset)[...] = NUMBERS
    assert b"FAHD" not in (tmp_path / "m.h5").read_bytes()
    assert values(open_file(tmp_path / "m.h5"), "x") == NUMBERS.tolist()


@pytest.mark.parametrize("limits", [(None, 70), (None, None)])
def test_datasets_that_can_grow_without_end(tmp_path: Path, limits: tuple[int | None, ...]) -> None:
    for libver in ("v108", "v110"):
        with h5py.File(tmp_path / f"{libver}.h5", "w", libver=libver) as file:
            file.create_dataset("x", data=NUMBERS, chunks=(7, 9), maxshape=limits)
    assert values(open_file(tmp_path / "v108.h5"), "x") == NUMBERS.tolist()
    with pytest.raises(FormatError, match=r"at byte [\d,]+ this HDF5 file has chunks as of .*`h5repack"):
        values(open_file(tmp_path / "v110.h5"), "x")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_small_datasets(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        file["scalar"], file["empty"] = np.float64(3), np.zeros((0, 4))
        file["signed"], file["unsigned"] = np.arange(-3, 3, dtype=">i8"), np.arange(9, dtype="u1")
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((5,))
        h5py.Dataset(h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F16BE, space, compact))[...] = np.arange(5)
    file = open_file(tmp_path / "m.h5")
    assert read_tensor(file, file.find(file.root, "scalar"), "scalar").item() == 3
    assert [values(file, name) for name in ("empty", "signed", "unsigned", "compact")] == [
        [], [-3, -2, -1, 0, 1, 2], list(range(9)), list(range(5))
    ]  # fmt: skip


def test_other_numbers_are_not_mistaken_for_those_of_their_size(tmp_path: Path) -> None:
    bfloat16 = h5py.h5t.IEEE_F16LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_ebias(127)
    of_24_bits = h5py.h5t.STD_I32LE.copy()
    of_24_bits.set_precision(24)
    for kind in (bfloat16, of_24_bits, h5py.h5t.STD_U32LE, h5py.h5t.py_create(np.dtype("f4, i4"))):
        with h5py.File(tmp_path / "m.h5", "w") as file:
            h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((4,)))
        with pytest.raises(FormatError, match="numbers of class .* where float16, 32 or 64, int8, 32 or 64"):
            values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("origin", [0, 1, 4])
def test_a_chunk_that_is_there_twice_between_others_or_outside(tmp_path: Path, origin: int) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("x", data=np.arange(4, dtype=np.float32), chunks=(2,))
    content = (tmp_path / "m.h5").read_bytes()
    assert values(open_file(tmp_path / "m.h5"), "x") == [0, 1, 2, 3]
    old, new = (struct.pack("<IIQQ", 8, 0, place, 0) for place in (2, origin))
    assert content.count(old) == 1
    (tmp_path / "m.h5").write_bytes(content.replace(old, new))
    with pytest.raises(FormatError, match=r"each chunk of \[2\] within \[4\] once"):
        values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_chunk_that_was_never_written(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        file.create_dataset("x", (3000,), "f4", chunks=(2,))[:1000] = 1
    with pytest.raises(FormatError, match="x should have 1,500 chunks; there are 500|a chunk of x|nothing in page"):
        values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_chunks_that_are_mostly_outside_take_no_more_time(tmp_path: Path, libver: str) -> None:
    """A few kilobytes that would be decompressed to 64 x 4 MiB, for 64 numbers."""
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        x = file.create_dataset("x", (64, 1), "f4", chunks=(1, 1 << 20), maxshape=(64, 1 << 20), compression="gzip")
        x[...] = 1
    with pytest.raises(FormatError, match="a claim of 268,435,456 bytes"):
        values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("kwargs", [{"chunks": (1 << 14, 1 << 14)}, {"chunks": (64, 64), "compression": "gzip"}, {}])
@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_datasets_that_claim_more_than_the_file(tmp_path: Path, kwargs: dict[str, object], libver: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        file.create_dataset("x", shape=(1 << 15, 1 << 15), dtype="f4", fillvalue=1.0, **kwargs)
    with pytest.raises(FormatError):
        values(open_file(tmp_path / "m.h5"), "x")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [("external", "x is no dataset"), ("link", "there is no x"), ("virtual", "a layout of version 3 to 5")],
)
def test_data_elsewhere_is_not_followed(tmp_path: Path, kind: str, message: str, libver: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        if kind == "external":
            file.create_dataset("x", (6,), "f4", external=[(str(tmp_path / "secret"), 0, 24)])
        elif kind == "link":
            file["x"] = h5py.ExternalLink("other.h5", "/a")
        else:
            layout = h5py.VirtualLayout((6,), "f4")
            layout[:] = h5py.VirtualSource("other.h5", "a", (6,))
            file.create_virtual_dataset("x", layout)
    with pytest.raises(FormatError, match=message):
        values(open_file(tmp_path / "m.h5"), "x")
