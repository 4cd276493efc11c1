"""MindSpore's checkpoints."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from examples import same

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

FORMATS = Path(__file__).resolve().parents[1] / "fixtures" / "formats"


def with_crc(data: bytes, crc: int) -> bytes:
    """What MindSpore's ``save_checkpoint(..., crc_check=True)`` writes."""
    return data + b"crc_num" + crc.to_bytes(10, "big")


def test_mindspore_s_checksum_is_held(tmp_path: Path) -> None:
    data = (FORMATS / "mindspore_mindcv/small.ckpt").read_bytes()
    (tmp_path / "m.ckpt").write_bytes(with_crc(data, zlib.crc32(data)))
    assert same(
        read_checkpoint(tmp_path / "m.ckpt").tensors,
        dict(read_checkpoint(FORMATS / "mindspore_mindcv/small.ckpt").tensors),
    )
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    (tmp_path / "m.ckpt").write_bytes(with_crc(bytes(changed), zlib.crc32(data)))
    with pytest.raises(FormatError) as caught:
        read_checkpoint(tmp_path / "m.ckpt")
    expected, found = (f"{zlib.crc32(content):#010x}" for content in (data, changed))
    assert f"at byte {len(data):,}: by MindSpore's crc_num expected the checksum {expected}" in str(caught.value)
    assert f"found {found}" in str(caught.value)


def test_texts_that_mindspore_appends_are_dropped(tmp_path: Path) -> None:
    """``save_checkpoint(..., append_dict={"name": "abc"})`` of MindSpore 2.7."""
    tensors = {
        b"name": b"\x12\x03str\x1a\x03abc",
        b"w": b"\x08\x01\x12\x07Float32\x1a\x04" + struct.pack("<f", 2.5),
    }
    values = [b"\x0a%c%s\x12%c%s" % (len(name), name, len(tensor), tensor) for name, tensor in tensors.items()]
    data = b"".join(b"\x0a%c%s" % (len(value), value) for value in values)
    (tmp_path / "m.ckpt").write_bytes(data)
    found = read_checkpoint(tmp_path / "m.ckpt")
    assert found.tensors["w"].tolist() == [2.5]
    assert found.dropped == {"text": 1}
