"""HDF5 as h5py writes it in every version of the format, and files that lie, written field by field."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hdf5_writer import CONFIG, LAYOUTS, rewrite, write_model

import densezoo
from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.keras.hdf5.bytes import MAX_PIECES
from densezoo.formats.keras.hdf5.datasets import read_tensor
from densezoo.formats.keras.hdf5.file import MAGIC, File

h5py = pytest.importorskip("h5py")

FIXTURE = Path(__file__).resolve().parents[3] / "fixtures/formats/flyyufelix/densenet121_weights_th.h5"
NEW = [("v108", True), ("latest", False)]
all_layouts = pytest.mark.parametrize(("libver", "track_order"), LAYOUTS)


def open_file(path: Path) -> File:
    return File(in_memory(path, io.BytesIO(path.read_bytes())))


def values(file: File, name: str) -> list[Any]:
    return list(read_tensor(file, file.find(file.root, name), name).tolist())


@all_layouts
def test_hundreds_of_layers(tmp_path: Path, libver: str | None, track_order: bool) -> None:
    write_model(tmp_path / "m.h5", libver, track_order, layers=300, config=CONFIG + " " * 100_000)
    content = (tmp_path / "m.h5").read_bytes()
    assert content[8] == {"v108": 2, "v110": 3, "latest": 3}.get(libver or "", 0)
    if content[8] or track_order:  # the newer structures are there
        assert all(signature in content for signature in (b"OHDR", b"BTIN", b"BTLF", b"FRHP", b"FHIB", b"FHDB"))
    tensors = read_checkpoint(tmp_path / "m.h5").tensors
    expected = {f"dense_{i}/kernel": torch.arange(i, i + 15.0).view(3, 5).tolist() for i in range(300)}
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == expected


@all_layouts
@pytest.mark.parametrize("storage", [{}, {"chunks": True, "compression": "gzip", "shuffle": True}])
def test_a_real_file_in_another_layout(
    tmp_path: Path, libver: str | None, track_order: bool, storage: dict[str, Any]
) -> None:
    rewrite(FIXTURE, tmp_path / "m.h5", libver, track_order, **storage)
    old, new = read_checkpoint(FIXTURE), read_checkpoint(tmp_path / "m.h5")
    assert list(new.tensors) == list(old.tensors)
    assert all(torch.equal(new.tensors[name], old.tensors[name]) for name in old.tensors)
    assert (new.metadata, new.graph) == (old.metadata, old.graph)
    model, report = densezoo.load_checkpoint(tmp_path / "m.h5")
    assert report.exact
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), densezoo.load_checkpoint(FIXTURE)[0].parameters()))


@all_layouts
@pytest.mark.parametrize("name", ["m.weights.h5", "m.keras"])
def test_keras_3(tmp_path: Path, libver: str | None, track_order: bool, name: str) -> None:
    with h5py.File(tmp_path / "m.weights.h5", "w", libver=libver, track_order=track_order) as file:
        for i in range(20):
            stored = file.create_group(f"layers/conv2d{f'_{i}' if i else ''}/vars")
            stored["0"] = np.full((3, 3, 2, 4), i, np.float32)
        file.create_group("optimizer/vars").create_dataset("0", data=np.int64(7))
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.write(tmp_path / "m.weights.h5", "model.weights.h5")
        archive.writestr("config.json", CONFIG)
    checkpoint = read_checkpoint(tmp_path / name)
    assert {name: tensor.unique().tolist() for name, tensor in checkpoint.tensors.items()} == {
        f"conv.{i}.kernel": [i] for i in range(20)
    }
    assert checkpoint.dropped == {"optimiser state": 1}


@all_layouts
def test_attributes(tmp_path: Path, libver: str | None, track_order: bool) -> None:
    expected = {f"a{i}": [f"{i}" * 200 * i] for i in range(30)} | {"list": [f"name {i}" for i in range(2000)]}
    fixed = {"short": b"x", "long": b"y" * 10_000} | ({"huge": b"z" * 200_000} if libver in ("v108", "latest") else {})
    with h5py.File(tmp_path / "m.h5", "w", libver=libver, track_order=track_order) as file:
        for name, texts in expected.items():
            file.attrs[name] = texts
        for name, text in fixed.items():  # of fixed length, in the attribute itself
            file.attrs[name] = np.bytes_(text)
    found = open_file(tmp_path / "m.h5")
    for name, texts in (expected | {name: [text.decode()] for name, text in fixed.items()}).items():
        assert found.texts(found.root, name) == texts
    assert found.texts(found.root, "absent") is None


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


def test_numbers_that_are_decompressed_again_and_again(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(1 << 18, np.float32), compression="gzip")
    file = open_file(tmp_path / "m.h5")
    with pytest.raises(FormatError, match="no more than a file of this size can hold, found a claim of 1,048,576 b"):
        [values(file, "x") for _ in range(20)]


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


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_datatype_in_another_object_is_refused(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        file["kind"] = h5py.string_dtype(length=4)
        file.attrs.create("name", b"text", dtype=file["kind"])
        file.attrs["other"] = "is read"
        file.create_dataset("x", (3,), dtype=file["kind"])
    found = open_file(tmp_path / "m.h5")
    with pytest.raises(FormatError, match="in another object"):
        values(found, "x")
    with pytest.raises(FormatError, match="in another object"):
        found.texts(found.root, "name")


@pytest.mark.parametrize(("libver", "track_order"), NEW)
def test_cut_off_anywhere_it_is_refused(tmp_path: Path, libver: str, track_order: bool) -> None:
    write_model(tmp_path / "m.h5", libver, track_order, layers=12)
    whole = (tmp_path / "m.h5").read_bytes()
    expected = read_checkpoint(tmp_path / "m.h5").tensors
    for length in range(9, len(whole), 97):
        (tmp_path / "m.h5").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"at byte [\d,]+ expected"):
            read_checkpoint(tmp_path / "m.h5")
        if length < 48:
            continue
        (tmp_path / "m.h5").write_bytes(whole[:28] + struct.pack("<Q", length) + whole[36:length])  # says so itself
        try:
            tensors = read_checkpoint(tmp_path / "m.h5").tensors
        except FormatError:
            continue
        assert all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("libver", "track_order"), NEW)
def test_any_byte_may_lie(tmp_path: Path, libver: str, track_order: bool) -> None:
    write_model(tmp_path / "m.h5", libver, track_order, layers=9)
    whole = (tmp_path / "m.h5").read_bytes()
    refused = 0
    for at in range(0, len(whole), 41):
        for lie in (0, 255, whole[at] ^ 1):
            try:
                content = bytearray(whole)
                content[at] = lie
                tensors = _tensors(tmp_path / "m.h5", bytes(content))
            except FormatError:
                refused += 1
            else:
                assert sum(tensor.numel() for tensor in tensors.values()) <= 2 * 9 * 15
    assert refused > 100


def _tensors(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    path.write_bytes(content)
    return dict(read_checkpoint(path).tensors)


def message(kind: int, content: bytes) -> bytes:
    return struct.pack("<BHB", kind, len(content), 0) + content


def header(*messages: bytes) -> bytes:
    """Version 2, without a checksum that is right: it isn't looked at."""
    content = b"".join(messages)
    return b"OHDR\x02\x02" + struct.pack("<I", len(content)) + content + bytes(4)


def new_file(*objects: bytes) -> bytes:
    """A superblock of version 3, then objects at bytes 48, ... of which the first is the root group."""
    content = b"".join(objects)
    return MAGIC + struct.pack("<BBBBQQQQ", 3, 8, 8, 0, 0, (1 << 64) - 1, 48 + len(content), 48) + bytes(4) + content


def link(name: bytes, address: int) -> bytes:
    return message(6, b"\x01\x00" + bytes([len(name)]) + name + struct.pack("<Q", address))


def continuation(address: int, size: int) -> bytes:
    return message(16, struct.pack("<QQ", address, size))


DATASET = header(
    message(1, b"\x02\x01\x00\x01" + struct.pack("<Q", 3)),
    message(3, b"\x11\x20\x1f\x00" + struct.pack("<IHHBBBBI", 4, 0, 32, 23, 8, 0, 23, 127)),
    message(8, b"\x04\x00" + struct.pack("<H3f", 12, 1, 2, 3)),
)


def test_a_file_field_by_field(tmp_path: Path) -> None:
    root = header(continuation(48 + 34, 29))
    more = b"OCHK" + link(b"x", 48 + 34 + 29) + b"\x00" * 5  # five bytes: a gap, and the checksum
    assert (len(root), len(more)) == (34, 4 + 16 + 5)
    more += bytes(4)
    (tmp_path / "m.h5").write_bytes(new_file(root, more, DATASET))
    file = open_file(tmp_path / "m.h5")
    assert values(file, "x") == [1, 2, 3]


def info(kind: int, heap: int, tree: int) -> bytes:
    return message(kind, b"\x00\x00" + struct.pack("<QQ", heap, tree))


LIES: dict[str, tuple[bytes, str]] = {
    "a continuation of itself": (header(continuation(58, 20)), "OCHK"),
    "continuations in a circle": (
        header(continuation(82, 28)) + b"OCHK" + continuation(82, 28) + bytes(4),
        "no more than",
    ),
    "a header without an end": (b"OHDR\x02\x03" + struct.pack("<Q", 1 << 60), "a block of an object header"),
    "a message without an end": (header(struct.pack("<BHB", 6, 1 << 15, 0)), "a message that ends"),
    "another version": (b"OHDR\x03" + bytes(40), "object header's version"),
    "a name without an end": (header(message(6, b"\x01\x03" + b"\xff" * 8)), "no more than a file of this size"),
    "a long name": (header(message(6, b"\x01\x01\x00\x10")), "a link's name"),
    "a heap that is none": (header(info(2, 48, 48)), "a fractal heap"),
    "a heap beyond the end": (header(info(21, 1 << 50, 48)), "a fractal heap"),
    "an address near the last": (header(link(b"x", (1 << 64) - 2)), ""),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies(tmp_path: Path, lie: str) -> None:
    content, expected = LIES[lie]
    (tmp_path / "m.h5").write_bytes(new_file(content))
    with pytest.raises(FormatError, match=rf"m\.h5: .* at byte [\d,]+ expected .*{expected}"):
        values(open_file(tmp_path / "m.h5"), "x")


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


def test_the_limit_of_pieces_leaves_room_for_the_largest_model(tmp_path: Path) -> None:
    write_model(tmp_path / "m.h5", "latest", True, layers=1000)
    file = open_file(tmp_path / "m.h5")
    for i in range(1000):
        values(file, f"dense_{i}/kernel:0")
    assert MAX_PIECES - file._pieces < MAX_PIECES / 3
