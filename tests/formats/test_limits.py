"""Files that are made to cost time or memory: each is read or refused within 1 s of CPU and 4 x its size + 64 MiB."""

from __future__ import annotations

import json
import struct
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from oversized import WRITERS

import densezoo
from densezoo.errors import FormatError
from densezoo.formats import fuzzing
from densezoo.formats.fuzzing import HOLE, hold_to_limits, memory
from densezoo.malloc import give_freed_memory_back

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc"),
    pytest.mark.usefixtures("untraced"),
]


@pytest.fixture(scope="module", autouse=True)
def _everything_imported() -> None:
    densezoo.load_checkpoint(FIXTURES / "formats/monai/small.pth")


#: What the same reader refuses as another of these: Torch7's in another encoding or of other objects, newer HDF5.
SLOW = {"torch7, text, of 60,000 modules", "torch7 of 60,000 tensors", "hdf5, latest, of 3,500 layers"}


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow if k in SLOW else []) for k in WRITERS])
def test_what_no_densenet_has_is_refused_within_limits(tmp_path: Path, kind: str) -> None:
    (tmp_path / "m").write_bytes(WRITERS[kind]())
    assert not hold_to_limits(tmp_path / "m", densezoo.load_checkpoint)


def test_a_zip_s_first_bytes_before_8_gib_of_zeros(tmp_path: Path) -> None:
    with open(tmp_path / "m.pth", "wb") as file:
        file.write(b"PK\3\4")
        file.truncate(HOLE)
    assert not hold_to_limits(tmp_path / "m.pth", densezoo.load_checkpoint)


def holes(count: int, size: int) -> bytes:
    """A safetensors header of so many tensors of so many bytes."""
    entries = {
        f"features.denseblock1.denselayer{i + 1}.conv1.weight": {
            "dtype": "F32", "shape": [size // 4, 1, 1, 1], "data_offsets": [i * size, (i + 1) * size]
        }
        for i in range(count)
    }  # fmt: skip
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def inflating(size: int) -> bytes:
    """The first member of a .npz that takes the rest of the file, and says to decompress to 2 GiB."""
    compressor, part = zlib.compressobj(wbits=-15), bytes(1 << 20)
    once = compressor.compress(part) + compressor.flush(zlib.Z_FULL_FLUSH)  # starts anew, so it can be repeated
    return once * (size // len(part)) + compressor.flush()


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (holes(1, 1 << 30), 1 << 30),
        (holes(3000, 1 << 20), 3000 << 20),
        (b"\x80\x04B\xff\xff\xff\x7f", HOLE),
        (b"\x80\x02X\xff\xff\xff\x7f", HOLE),
        (b"\x0a\x80\x80\x80\x80\x10\x0a\x04abcd", HOLE),
        (struct.pack("<QQQ", 0x112, 0, 1) + struct.pack("<IiIqiii", 0xF993FAC9, 0, 1, 1 << 29, 1, 0, 0), 3 << 30),
    ],
    ids=["one tensor", "3,000 tensors", "bytes of a pickle", "text of a pickle", "mindspore", "mxnet"],
)
def test_tensors_that_are_holes_are_not_read(tmp_path: Path, head: bytes, size: int) -> None:
    with open(tmp_path / "m", "wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    give_freed_memory_back()
    before = memory("VmRSS")
    assert not hold_to_limits(tmp_path / "m", densezoo.load_checkpoint)
    assert memory("VmHWM") < before + (64 << 20)  # since the read began: `hold_to_limits` has the peak begin anew


def test_a_member_that_inflates_for_ever_in_a_file_of_holes(tmp_path: Path) -> None:
    data = inflating(1 << 30)
    with open(tmp_path / "m.npz", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("w.npy", b"")
        file.write(data)
        file.truncate(HOLE)
        file.seek(0, 2)
        archive.start_dir = file.tell()
        (member,) = archive.infolist()
        member.compress_type, member.compress_size, member.file_size = zipfile.ZIP_DEFLATED, 1 << 31, 1 << 30
    assert not hold_to_limits(tmp_path / "m.npz", densezoo.load_checkpoint)


def beside(tmp_path: Path, name: str, text: str) -> Path:
    """A fixture with another description beside it."""
    source = {"small.prototxt": "caffe/small.caffemodel"}.get(name, "mxnet_miraclewkf/densenet-small-0000.params")
    path = tmp_path / Path(source).name
    path.write_bytes((FIXTURES / "formats" / source).read_bytes())
    (tmp_path / name).write_text(text)
    return path


@pytest.mark.parametrize("name", ["small.prototxt", "densenet-small-symbol.json"])
@pytest.mark.parametrize("text", ["{", "[", 'layer{name:"a"}', "[],", '{"a":', "a:1 "])
@pytest.mark.parametrize("size", [1 << 18, 1 << 20, 6 << 20])
def test_descriptions_beside_a_file(tmp_path: Path, name: str, text: str, size: int) -> None:
    path = beside(tmp_path, name, text * (size // len(text)))
    assert not hold_to_limits(path, densezoo.load_checkpoint)


def test_a_network_of_thousands_of_joins(tmp_path: Path) -> None:
    node = {"op": "Concat", "name": "c", "attrs": {}, "inputs": [[i, 0] for i in range(20)]}
    nodes = [{"op": "null", "name": "data", "inputs": []}, *[{**node, "name": f"c{i}"} for i in range(2000)]]
    path = beside(tmp_path, "densenet-small-symbol.json", json.dumps({"nodes": nodes}))
    assert not hold_to_limits(path, densezoo.load_checkpoint)


def test_the_control_a_slow_reader_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "SECONDS", 0.2)
    monkeypatch.setattr(fuzzing, "_pace", lambda: fuzzing.PACE)
    (tmp_path / "m").write_bytes(b"x")

    def slow(path: Path) -> None:
        start = time.process_time()
        while time.process_time() < start + fuzzing.SECONDS + 0.1:
            pass

    with pytest.raises(FormatError, match=r"took 0\.\d s"):
        hold_to_limits(tmp_path / "m", slow)
    monkeypatch.setattr(fuzzing, "_pace", lambda: 2 * fuzzing.PACE)  # a core that is shared is no reader's fault
    assert hold_to_limits(tmp_path / "m", slow)
