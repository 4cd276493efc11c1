"""TensorFlow's checkpoints: an index, ``<name>.index``, and the numbers beside it, ``<name>.data-00000-of-00001``.

Formats: tensorflow/core/protobuf/tensor_bundle.proto; the index is a table of LevelDB's (doc/table_format.md there).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, Bytes, cut, in_memory, item_size, open_file, to_tensor
from densezoo.formats.containers.protobuf import MessageReader, Table
from densezoo.formats.limits import MAX_NAMES, MAX_TENSORS
from densezoo.types import Checkpoint

_HEADER: Table = {1: ("shards", "int"), 2: ("big_endian", "int")}
_ENTRY: Table = {
    1: ("dtype", "int"), 2: ("shape", {2: ("dim*", {1: ("size", "int")})}), 3: ("shard", "int"),
    4: ("offset", "int"), 5: ("size", "int"), 7: ("slices*", "bytes"),
}  # fmt: skip
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 6: "i1", 9: "<i8", 10: "?", 14: BFLOAT16, 19: "<f2"}
_FOOTER, _MAGIC = 48, bytes.fromhex("57fb808b247547db")
_TRAILER = 5  # bytes after a block: how it is compressed, and a checksum
INDEX, SHARD = ".index", ".data-00000-of-00001"
MAX_INDEX = 8 << 20  # bytes; the largest network's with an optimiser takes 0.2 MB


def looks_like_bundle(head: bytes, size: int) -> bool:
    """Whether the file begins with a table's first entry, which has no key and tells the number of files.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    return size > _FOOTER and re.match(rb"\0\0.\x08[\x00-\x7f][\x10\x1a]", head, re.DOTALL) is not None


def shard_beside(path: Path) -> Path:
    """Where the numbers of an index are."""
    return path.with_name(path.name.removesuffix(INDEX) + SHARD)


def read_bundle(data: Bytes) -> Checkpoint:
    """Every tensor of the checkpoint whose index this is.

    Raises:
        FormatError: broken or truncated; the numbers are not beside it, or in several files.
    """
    shard = shard_beside(data.path)
    if not shard.is_file():
        raise FormatError(f"{data.path}: a TensorFlow checkpoint's index; expected its numbers beside it, {shard.name}")
    with open_file(shard, data.opened.shapes_only) as numbers:
        return join_bundle(data, numbers)


def join_bundle(index: Bytes, numbers: Bytes) -> Checkpoint:
    """The same of an index and the numbers, wherever they are.

    Raises:
        FormatError: broken or truncated; numbers in several files.
    """
    where = str(index.path)
    entries = list(_entries(index))
    if len(entries) > MAX_TENSORS or sum(len(key) for key, _ in entries) > MAX_NAMES:
        raise FormatError(f"{where}: {len(entries):,} tensors; expected at most {MAX_TENSORS:,} in a checkpoint")
    tensors: dict[str, Tensor] = {}
    for key, value in entries:
        reader = MessageReader(in_memory(index.path, io.BytesIO(value)))
        if not key:
            header = reader.parse(_HEADER)
            if header.get("shards") != 1 or header.get("big_endian"):
                raise FormatError(f"{where}: numbers in {header.get('shards')} files; expected one, little-endian")
            continue
        name, entry = key.decode("utf-8", "replace"), reader.parse(_ENTRY)
        shape = [dim.get("size", 0) for dim in entry.get("shape", {}).get("dim", [])]
        dtype = _DTYPES.get(entry.get("dtype", 0))
        if dtype is None or entry["slices"]:
            raise FormatError(f"{where}: {name}: not one tensor of numbers (dtype {entry.get('dtype')})")
        size = entry.get("size", 0)
        if size < item_size(dtype) or min(shape, default=1) < 1:
            raise FormatError(f"{where}: {name}: of the shape {tuple(shape)} in {size:,} bytes")
        part = cut(numbers, entry.get("offset", 0), size, f"{where}: {name}")
        tensors[name] = to_tensor(part, dtype, shape, f"{where}: {name}")
    return Checkpoint(where, "tensorflow", tensors)


def _entries(index: Bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the table's entries, in order."""
    size = len(index)
    if size < _FOOTER or size > MAX_INDEX:
        raise FormatError(f"{index.path}: a TensorFlow index of {size:,} bytes; expected {_FOOTER} to {MAX_INDEX:,}")
    whole = bytes(cut(index, 0, size, "the index").read())
    if not whole.endswith(_MAGIC):
        raise FormatError(
            f"{index.path}: a TensorFlow checkpoint's index that is broken or truncated at {size:,} bytes"
        )
    try:
        at = size - _FOOTER
        for _ in range(2):
            _, at = _varint(whole, at)  # the table of tables, which isn't needed
        for _, handle in _block(index.path, whole, at):
            yield from _block(index.path, whole, 0, handle)
    except (IndexError, ValueError) as error:
        raise FormatError(f"{index.path}: a TensorFlow checkpoint's index that is broken ({error})") from None


def _block(path: Path, whole: bytes, at: int, handle: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of one block's entries; keys share their beginnings with those before them.

    Args:
        path: for messages.
        whole: the file.
        at: where the block's handle (offset, size) stands in the file.
        handle: the handle, where it doesn't stand there itself.
    """
    text = whole if handle is None else handle
    start, at = _varint(text, at)
    length, _ = _varint(text, at)
    if start + length + _TRAILER > len(whole) or length < 4:
        raise ValueError(f"a block of {length:,} bytes from byte {start:,} on")
    if whole[start + length]:
        raise FormatError(f"{path}: its index is compressed; save the checkpoint without compression")
    block, key = whole[start : start + length], b""
    end = length - 4 * (1 + int.from_bytes(block[-4:], "little"))
    at = 0
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        size, at = _varint(block, at)
        if at + fresh + size > end or shared > len(key):
            raise ValueError(f"an entry that reaches out of its block, at byte {start + at:,}")
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + size]
        at += fresh + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends)."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError(f"a number without an end, at byte {at:,}")
