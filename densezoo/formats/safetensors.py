"""safetensors files: https://huggingface.co/docs/safetensors (8 bytes of header length, JSON header, tensors)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.types import Checkpoint


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether the first 8 bytes can be the length of the JSON header that starts after them."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") > 0


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
    return Checkpoint(path=str(path), format="safetensors", tensors=tensors, metadata=metadata)


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write a canonical state_dict with what its names don't say; the file is whole or not there at all.

    Args:
        facts: JSON values under the one metadata key "densezoo" (one, because safetensors writes several keys in
            an order that changes from run to run, and equal weights shall give equal files).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in state_dict.items()}
    try:
        save_file(tensors, temporary, metadata={"densezoo": json.dumps(facts, sort_keys=True)})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
