"""MindSpore's ``.ckpt``: mindspore/ccsrc/utils/checkpoint.proto, a list of named tensors."""

from __future__ import annotations

import zlib

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, BLOCK, Bytes, cut, to_tensor
from densezoo.formats.containers.protobuf import MessageReader, Table, first_bytes
from densezoo.types import Checkpoint

_TENSOR: Table = {1: ("shape*", "ints"), 2: ("dtype", "text"), 3: ("content", "bytes")}
_VALUE: Table = {1: ("name", "text"), 2: ("tensor", _TENSOR), 3: ("map", "bytes")}
_CHECKPOINT: Table = {1: ("values*", _VALUE)}
_DTYPES = {
    "Float32": "<f4", "Float64": "<f8", "Float16": "<f2", "BFloat16": BFLOAT16, "Int8": "i1", "UInt8": "u1",
    "Int16": "<i2", "Int32": "<i4", "Int64": "<i8", "Bool": "?",
}  # fmt: skip
#: What ``save_checkpoint(..., crc_check=True)`` appends: this word and, in 10 bytes, the CRC-32 of all before it
#: (mindspore/python/mindspore/train/serialization.py).
CRC_WORD, CRC_SIZE = b"crc_num", 10


def looks_like_mindspore(head: bytes, size: int) -> bool:
    """Whether the file begins with a value (field 1) that begins with its name (field 1).

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    inner = first_bytes(head)
    graph = b"Placeholder" in head  # TensorFlow's, whose nodes begin with a name, too
    return not graph and head[:1] == b"\x0a" and inner[:1] == b"\x0a" and first_bytes(inner)[:1].isalnum()


def read_mindspore(data: Bytes) -> Checkpoint:
    """Every tensor of the file; the parts of one that was split (over 512 MB) are joined.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken, truncated, compressed or encrypted; its checksum is of other bytes.
    """
    path = data.path
    parsed = MessageReader(_checked(data)).parse(_CHECKPOINT)
    parts: dict[str, list[Bytes]] = {}
    kinds: dict[str, tuple[str, list[int]]] = {}
    texts = 0
    for value in parsed["values"]:
        name, tensor = value.get("name"), value.get("tensor")
        if (tensor or {}).get("dtype") == "str":  # of save_checkpoint's append_dict
            texts += 1
            continue
        if not name or tensor is None or "content" not in tensor or tensor.get("dtype") not in _DTYPES:
            dtype = (tensor or {}).get("dtype")
            raise FormatError(
                f"{path}: {name!r} is no tensor of numbers (its dtype is {dtype!r}); save it uncompressed"
            )
        parts.setdefault(name, []).append(tensor["content"])
        kinds[name] = _DTYPES[tensor["dtype"]], [side for side in tensor["shape"] if tensor["shape"] != [0]]
    tensors = {}
    for name, (dtype, shape) in kinds.items():
        numbers = parts[name][0] if len(parts[name]) == 1 else b"".join(part.read() for part in parts[name])
        tensors[name] = to_tensor(numbers, dtype, shape, f"{path}: {name}")
    return Checkpoint(str(path), "mindspore", tensors, {"text": texts} if texts else {})


def _checked(data: Bytes) -> Bytes:
    """The file without the checksum at its end, if it has one; that must be the checksum of the rest."""
    rest = len(data) - len(CRC_WORD) - CRC_SIZE
    end = bytes(cut(data, rest, len(data) - rest, "its end").read()) if rest > 0 else b""
    if not end.startswith(CRC_WORD):
        return data
    if data.opened.shapes_only:  # then no numbers are read
        return cut(data, 0, rest, "the tensors")
    expected, checksum = int.from_bytes(end[-CRC_SIZE:], "big"), 0
    for start in range(0, rest, BLOCK):
        data.file.seek(data.start + start)
        checksum = zlib.crc32(data.file.read(min(BLOCK, rest - start)), checksum)
    if checksum != expected:
        raise FormatError(
            f"{data.path}: at byte {rest:,}: by MindSpore's crc_num expected the checksum {expected:#010x}; "
            f"found {checksum:#010x}: it is damaged, fetch it anew"
        )
    return cut(data, 0, rest, "the tensors")
