"""MindSpore's ``.ckpt``: mindspore/ccsrc/utils/checkpoint.proto, a list of named tensors."""

from __future__ import annotations

from pathlib import Path

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, map_file, to_tensor
from densezoo.formats.protobuf import Reader, first_bytes
from densezoo.types import Checkpoint

_TENSOR = {1: ("shape*", "ints"), 2: ("dtype", "text"), 3: ("content", "bytes")}
_VALUE = {1: ("name", "text"), 2: ("tensor", _TENSOR), 3: ("map", "bytes")}
_CHECKPOINT = {1: ("values*", _VALUE)}
_DTYPES = {
    "Float32": "<f4", "Float64": "<f8", "Float16": "<f2", "BFloat16": BFLOAT16, "Int8": "i1", "UInt8": "u1",
    "Int16": "<i2", "Int32": "<i4", "Int64": "<i8", "Bool": "?",
}  # fmt: skip


def looks_like_mindspore(head: bytes, size: int) -> bool:
    """Whether the file begins with a value (field 1) that begins with its name (field 1)."""
    inner = first_bytes(head)
    graph = b"Placeholder" in head  # TensorFlow's, whose nodes begin with a name, too
    return not graph and head[:1] == b"\x0a" and inner[:1] == b"\x0a" and first_bytes(inner)[:1].isalnum()


def read_mindspore(path: Path) -> Checkpoint:
    """Every tensor of the file; one that was split (over 512 MB) is put together.

    Raises:
        FormatError: broken, truncated, compressed or encrypted.
    """
    parsed = Reader(str(path), map_file(path)).parse(_CHECKPOINT)
    parts: dict[str, list[memoryview]] = {}
    kinds: dict[str, tuple[str, list[int]]] = {}
    texts = 0
    for value in parsed["values"]:
        name, tensor = value.get("name"), value.get("tensor")
        if (tensor or {}).get("dtype") == "str":  # of save_checkpoint's append_dict
            texts += 1
            continue
        if not name or tensor is None or "content" not in tensor or tensor.get("dtype") not in _DTYPES:
            found = (tensor or {}).get("dtype")
            raise FormatError(
                f"{path}: {name!r} is no tensor of numbers (its dtype is {found!r}); save it uncompressed"
            )
        parts.setdefault(name, []).append(tensor["content"])
        kinds[name] = _DTYPES[tensor["dtype"]], [side for side in tensor["shape"] if tensor["shape"] != [0]]
    tensors = {}
    for name, (dtype, shape) in kinds.items():
        data = parts[name][0] if len(parts[name]) == 1 else b"".join(parts[name])
        tensors[name] = to_tensor(data, dtype, shape, f"{path}: {name}")
    return Checkpoint(str(path), "mindspore", tensors, {"text": texts} if texts else {})
