"""safetensors files: https://huggingface.co/docs/safetensors (8 bytes of header length, JSON header, tensors)."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.timm_config import config_beside
from densezoo.types import Checkpoint

KEY = "densezoo"  # of the metadata that densezoo writes: one JSON text


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether the first 8 bytes can be the length of the JSON header that starts after them."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") > 0


def fits_safetensors(head: bytes, size: int) -> bool:
    """The same, and the header ends within the file."""
    return looks_like_safetensors(head, size) and int.from_bytes(head[:8], "little") <= size - 8


def read_safetensors(path: Path) -> Checkpoint:
    """Every tensor of the file, memory-mapped, and the header's metadata.

    Raises:
        FormatError: the header or the tensors don't fit the file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it has no __iter__
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise FormatError(
            f"{path}: a safetensors file by its first bytes, but broken or truncated at its "
            f"{path.stat().st_size:,} bytes ({error}); fetch it anew"
        ) from error
    stated, described = stated_semantics(path, metadata), config_beside(path)
    return Checkpoint(str(path), "safetensors", tensors, metadata=metadata, semantics=stated, described=described)


def stated_facts(path: Path, metadata: Mapping[str, str]) -> dict[str, object]:
    """What densezoo wrote into a file's metadata; nothing where the file is another's.

    Raises:
        FormatError: metadata under densezoo's key that densezoo didn't write.
    """
    try:
        facts = json.loads(metadata.get(KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: its metadata {KEY!r} is not what densezoo writes ({error!r:.100})") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("architecture", {}), dict):
        raise FormatError(f"{path}: its metadata {KEY!r} is not what densezoo writes (no mapping)")
    return facts


def stated_semantics(path: Path, metadata: Mapping[str, str]) -> dict[str, object]:
    """The architecture that densezoo wrote into a file's metadata; nothing where the file is another's."""
    architecture = cast("dict[str, object]", stated_facts(path, metadata).get("architecture", {}))
    return {name: tuple(value) if isinstance(value, list) else value for name, value in architecture.items()}


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write a canonical state_dict with what its names don't say; the file is whole or not there at all.

    Args:
        facts: JSON values under the one metadata key "densezoo" (one, because safetensors writes several keys in
            an order that changes from run to run, and equal weights shall give equal files).

    Raises:
        OSError: no such folder, no room, no permission.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in state_dict.items()}
    try:
        save_file(tensors, temporary, metadata={KEY: json.dumps(facts, sort_keys=True)})
        os.replace(temporary, path)
    except SafetensorError as error:
        raise OSError(f"{error!s:.200}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
