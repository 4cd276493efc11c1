"""safetensors files: https://huggingface.co/docs/safetensors (8 bytes of header length, JSON header, tensors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.files import replacing
from densezoo.formats.binary import BFLOAT16, Bytes, cut, to_tensor
from densezoo.formats.containers.json import parse_json
from densezoo.formats.descriptions import config_beside
from densezoo.formats.limits import MAX_JSON, MAX_TENSORS
from densezoo.types import Checkpoint, JsonObject

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
KEY = "densezoo"  # of the metadata that densezoo writes: one JSON text


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether the first 8 bytes can be the length of the JSON header that starts after them.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") > 0


def fits_safetensors(head: bytes, size: int) -> bool:
    """Whether `looks_like_safetensors`, and the header ends within the file.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    return looks_like_safetensors(head, size) and int.from_bytes(head[:8], "little") <= size - 8


def read_safetensors(data: Bytes) -> Checkpoint:
    """Every tensor of the file, and the header's metadata.

    Args:
        data: the whole file.

    Raises:
        FormatError: the header or the tensors don't fit the file.
    """
    path = data.path
    try:
        header, numbers = _header(data)
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are no texts")
        tensors, end = {}, 0
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            start, stop = entry["data_offsets"]
            if start != end:
                raise ValueError(f"the tensor {name} begins at byte {start}, and the one before it ends at {end}")
            if entry["dtype"] not in _DTYPES:
                raise FormatError(f"{path}: the tensor {name} is of type {entry['dtype']}; expected floating point")
            stored = cut(numbers, start, stop - start, f"the tensor {name}")
            tensors[name], end = to_tensor(stored, _DTYPES[entry["dtype"]], entry["shape"], name), stop
        if end != len(numbers):
            raise ValueError(f"its tensors end at byte {end:,} of {len(numbers):,}")
    except FormatError as error:
        raise error if str(error).startswith(str(path)) else FormatError(_broken(data, str(error))) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(_broken(data, str(error) if type(error) is ValueError else repr(error))) from None
    stated, beside = stated_semantics(path, metadata), config_beside(path)
    return Checkpoint(str(path), "safetensors", tensors, metadata=metadata, semantics=stated, descriptions=beside)


def _header(data: Bytes) -> tuple[JsonObject, Bytes]:
    """({name: dtype, shape and offsets of a tensor}, the bytes of all tensors)."""
    size = int.from_bytes(cut(data, 0, 8, "a length").read(), "little")
    if size > len(data) - 8:
        raise ValueError(f"its header should take {size:,} bytes")
    if size > MAX_JSON:
        raise FormatError(f"{data.path}: its header takes {size:,} bytes; expected at most {MAX_JSON:,}")
    text = bytes(cut(data, 8, size, "a header").read())
    header = parse_json(text, f"{data.path}: its header", len(data))
    if len(header) > MAX_TENSORS:
        raise FormatError(f"{data.path}: {len(header):,} tensors; expected at most {MAX_TENSORS:,}")
    return header, cut(data, 8 + size, len(data) - 8 - size, "the tensors")


def _broken(data: Bytes, reason: str) -> str:
    return (
        f"{data.path}: a safetensors file by its first bytes, but broken or truncated at its {len(data):,} bytes "
        f"({reason:.160}); fetch it anew"
    )


def stated_facts(path: Path, metadata: Mapping[str, str]) -> dict[str, object]:
    """The facts that densezoo wrote into a file's metadata; empty if densezoo didn't write the file.

    Args:
        path: the file, for messages.
        metadata: the header's texts.

    Raises:
        FormatError: metadata under densezoo's key that densezoo didn't write.
    """
    try:
        facts = parse_json(metadata.get(KEY, "{}"), f"{path}: its metadata {KEY!r}")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: its metadata {KEY!r} is not what densezoo writes ({error!r:.100})") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("architecture", {}), dict):
        raise FormatError(f"{path}: its metadata {KEY!r} is not what densezoo writes (no mapping)")
    return facts


def stated_semantics(path: Path, metadata: Mapping[str, str]) -> dict[str, object]:
    """The architecture that densezoo wrote into a file's metadata; empty if densezoo didn't write the file.

    Args:
        path: the file, for messages.
        metadata: the header's texts.
    """
    architecture = cast("dict[str, object]", stated_facts(path, metadata).get("architecture", {}))
    return {name: tuple(value) if isinstance(value, list) else value for name, value in architecture.items()}


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write a canonical state_dict and facts about it; the file is written whole or not at all.

    Args:
        path: the file to write; its folder exists.
        state_dict: {canonical name: tensor}, on any device.
        facts: JSON values under the one metadata key "densezoo" (one, because safetensors writes several keys in
            an order that changes from run to run, and equal weights shall give equal files).

    Raises:
        OSError: no such folder, no room, no permission.
    """
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in state_dict.items()}
    with replacing(path) as hidden:
        try:
            save_file(tensors, hidden, metadata={KEY: json.dumps(facts, sort_keys=True)})
        except SafetensorError as error:
            raise OSError(f"{error!s:.200}") from None
