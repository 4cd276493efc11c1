"""Tiny files of each format, written field by field: cut off at every byte, and with each length lying."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from oversized import field, npy, varint

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

VALUES = np.arange(6, dtype=np.float32)


def mindspore(length: Callable[[bytes], bytes] = lambda content: varint(len(content))) -> bytes:
    tensor = b"\x08\x02\x08\x03" + field(2, b"Float32") + b"\x1a" + length(VALUES.tobytes()) + VALUES.tobytes()
    return field(1, field(1, b"weight") + field(2, tensor))


def caffe(dims: tuple[int, ...] = (2, 3)) -> bytes:
    shape = field(7, b"".join(b"\x08" + varint(dim) for dim in dims))
    return field(1, b"net") + field(
        100, field(1, b"fc") + field(2, b"InnerProduct") + field(7, field(5, VALUES.tobytes()) + shape)
    )


def onnx(dims: tuple[int, ...] = (2, 3), extra: bytes = b"") -> bytes:
    tensor = b"".join(b"\x08" + varint(dim) for dim in dims) + b"\x10\x01" + field(8, b"w") + extra
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Gemm")
    graph = field(1, node) + field(5, tensor + field(9, VALUES.tobytes())) + field(11, field(1, b"x"))
    return b"\x08\x08" + field(7, graph)


def mxnet(count: int = 1, dimensions: int = 2, sides: tuple[int, ...] = (2, 3), name: int = 1) -> bytes:
    array = struct.pack("<IiI", 0xF993FAC9, 0, dimensions) + struct.pack(f"<{len(sides)}q", *sides)
    array += struct.pack("<iii", 1, 0, 0) + VALUES.tobytes()
    return struct.pack("<QQQ", 0x112, 0, count) + array + struct.pack("<QQ", 1, name) + b"w"


def npz(
    header: str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", method: int = zipfile.ZIP_STORED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("w.npy", npy(header))
    return buffer.getvalue()


def paddle() -> bytes:
    return pickle.dumps({"w": VALUES.reshape(2, 3)}, protocol=4)


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    return struct.pack("<Q", len(header)) + header + VALUES.tobytes()


def pytorch(zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save({"w": torch.from_numpy(VALUES).reshape(2, 3)}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def keras(libver: str | None = None) -> bytes:
    h5py = pytest.importorskip("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        file.attrs["layer_names"] = ["w"]
        file.create_group("w").attrs["weight_names"] = ["w"]
        file["w/w"] = VALUES.reshape(2, 3)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[], bytes]] = {
    "mindspore": mindspore, "caffe": caffe, "onnx": onnx, "mxnet": mxnet, "npz": npz, "paddle": paddle,
    "safetensors": safetensors, "pytorch": pytorch, "pytorch legacy": lambda: pytorch(zipped=False), "keras": keras,
    "keras latest": lambda: keras("latest"),
}  # fmt: skip


def read(tmp_path: Path, content: bytes) -> dict[str, torch.Tensor]:
    (tmp_path / "model").write_bytes(content)
    return dict(read_checkpoint(tmp_path / "model").tensors)


@pytest.mark.parametrize("kind", WRITERS)
def test_the_whole_file_is_read(tmp_path: Path, kind: str) -> None:
    (tensor,) = read(tmp_path, WRITERS[kind]()).values()
    numbers = tensor.t() if kind == "onnx" else tensor
    assert numbers.tolist() == VALUES.reshape(2, 3).tolist()


def positions(whole: bytes, padding: bool) -> list[int]:
    """Where a file may end, and which bytes may lie.

    Args:
        whole: the file.
        padding: with those that follow eight zeros, of which HDF5's files mostly consist.
    """
    return [at for at in range(len(whole)) if padding or any(whole[max(0, at - 8) : at + 1])]


@pytest.mark.parametrize("padding", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", WRITERS)
def test_cut_off_anywhere_it_is_refused_or_lacks_the_tensor(tmp_path: Path, kind: str, padding: bool) -> None:
    whole = WRITERS[kind]()
    for length in positions(whole, padding)[1:]:
        with contextlib.suppress(FormatError):
            assert all(tensor.numel() == 6 for tensor in read(tmp_path, whole[:length]).values())


#: Files of a thousand bytes and more, whose readers' mutations `make test` has in test_fuzzing.py.
LONG = {"pytorch", "keras"}


@pytest.mark.parametrize("padding", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow if k in LONG else []) for k in WRITERS])
def test_each_byte_lying_it_is_refused_or_gives_what_it_holds(tmp_path: Path, kind: str, padding: bool) -> None:
    """Among the bytes are all of the lengths, counts and offsets."""
    whole = WRITERS[kind]()
    refused, lying = 0, positions(whole, padding)
    for position in lying:
        for byte in {whole[position] ^ 1, 255} - {whole[position]}:
            try:
                tensors = read(tmp_path, whole[:position] + bytes([byte]) + whole[position + 1 :])
            except FormatError:
                refused += 1
            else:
                assert sum(tensor.nbytes for tensor in tensors.values()) <= len(whole)
    assert refused > len(lying) // 20


LIES = {
    "mindspore length": lambda: mindspore(lambda content: varint(1 << 40)),
    "mindspore length a little": lambda: mindspore(lambda content: varint(len(content) + 1)),
    "mindspore number without an end": lambda: mindspore(lambda content: b"\xff" * 12),
    "caffe shape": lambda: caffe((1 << 40, 3)),
    "caffe shape a little": lambda: caffe((2, 4)),
    "onnx shape": lambda: onnx((1 << 31, 1 << 31)),
    "onnx negative": lambda: onnx(((1 << 64) - 1, 3)),
    "onnx external data": lambda: onnx(extra=b"\x70\x01" + field(13, field(1, b"location") + field(2, b"/etc/passwd"))),
    "mxnet count": lambda: mxnet(count=1 << 60),
    "mxnet dimensions": lambda: mxnet(dimensions=1 << 31),
    "mxnet sides": lambda: mxnet(sides=(1 << 40, 1 << 40)),
    "mxnet negative side": lambda: mxnet(sides=(-2, -3)),
    "mxnet name": lambda: mxnet(name=1 << 62),
    "npz shape": lambda: npz("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}"),
    "npz objects": lambda: npz("{'descr': '|O', 'fortran_order': False, 'shape': (6,)}"),
    "npz header": lambda: npz("__import__('os').system('true')"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_length_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    with pytest.raises(FormatError):
        read(tmp_path, LIES[lie]())


def test_a_zip_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("w.npy", b"\0" * (200 << 20))
    with pytest.raises(FormatError, match="claim to decompress to more than"):
        read_checkpoint(tmp_path / "bomb.npz")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_that_repeats_its_numbers_is_refused(tmp_path: Path, zipped: bool) -> None:
    tensor = torch.zeros(1).expand(1 << 20, 1 << 20)
    torch.save({"w": tensor}, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FormatError, match="a tensor of size"):
        read_checkpoint(tmp_path / "m.pth")


def test_tensors_that_share_all_their_numbers_can_t_fill_the_memory(tmp_path: Path) -> None:
    shared = torch.zeros(1 << 20)
    torch.save({f"w{i}": shared for i in range(100)}, tmp_path / "m.pth")
    with pytest.raises(FormatError, match="its tensors would take"):
        read_checkpoint(tmp_path / "m.pth")


def test_a_storage_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(4)}, tmp_path / "m.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "m.pth").read_bytes()
    (tmp_path / "m.pth").write_bytes(content[:-24] + struct.pack("<q", 1 << 50) + content[-16:])
    with pytest.raises(FormatError, match="broken or truncated"):
        read_checkpoint(tmp_path / "m.pth")
