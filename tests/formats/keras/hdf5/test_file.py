"""HDF5 as h5py writes it in every version of the format, and files that lie, written field by field."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hdf5_writer import CONFIG, LAYOUTS, header, info, link, message, new_file, open_file, rewrite, values, write_model

import densezoo
from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

FIXTURE = Path(__file__).resolve().parents[3] / "fixtures/formats/flyyufelix/densenet121_weights_th.h5"


h5py = pytest.importorskip("h5py")

NEW = [("v108", True), ("latest", False)]
all_layouts = pytest.mark.parametrize(("libver", "track_order"), LAYOUTS)


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
    assert {name: set(tensor.flatten().tolist()) for name, tensor in checkpoint.tensors.items()} == {
        f"conv.{i}.kernel": {i} for i in range(20)
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


@pytest.mark.parametrize("step", [pytest.param(41, marks=pytest.mark.slow), 127])
@pytest.mark.parametrize(("libver", "track_order"), [pytest.param(*NEW[0], marks=pytest.mark.slow), *NEW[1:]])
def test_any_byte_may_lie(tmp_path: Path, libver: str, track_order: bool, step: int) -> None:
    write_model(tmp_path / "m.h5", libver, track_order, layers=9)
    whole = (tmp_path / "m.h5").read_bytes()
    refused = 0
    for at in range(0, len(whole), step):
        for lie in (0, 255, whole[at] ^ 1):
            try:
                content = bytearray(whole)
                content[at] = lie
                tensors = _tensors(tmp_path / "m.h5", bytes(content))
            except FormatError:
                refused += 1
            else:
                assert sum(tensor.numel() for tensor in tensors.values()) <= 2 * 9 * 15
    assert refused > 4000 // step


def _tensors(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    path.write_bytes(content)
    return dict(read_checkpoint(path).tensors)


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
