"""path -> `Checkpoint`, by what the file holds; its name and ending are not asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from densezoo.errors import FormatError
from densezoo.formats.pytorch import read_pytorch
from densezoo.formats.safetensors import looks_like_safetensors, read_safetensors
from densezoo.formats.torch7 import looks_like_torch7
from densezoo.formats.torch7_network import read_torch7
from densezoo.types import Checkpoint

HEAD_BYTES = 512  # enough for every signature below

#: (whether the head of a file of this size is that format, its reader), asked in this order.
READERS: list[tuple[Callable[[bytes, int], bool], Callable[[Path], Checkpoint]]] = [
    (lambda head, size: head.startswith(b"PK\x03\x04"), read_pytorch),  # torch.save's zip
    (lambda head, size: head[:1] == b"\x80", read_pytorch),  # torch.save before 1.6: pickles one after the other
    (looks_like_torch7, read_torch7),  # before safetensors: a table of 123 entries has its "{" in the same place
    (looks_like_safetensors, read_safetensors),
]

#: (how a file that is no checkpoint starts, what it is).
IMPOSTORS = [
    (b"<!doctype html", "an HTML page, saved in place of a download"),
    (b"<html", "an HTML page, saved in place of a download"),
    (b"<?xml", "an XML page (a download service's error?), saved in place of a download"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run 'git lfs pull'"),
    (b"{", "a JSON text (a download service's error?)"),
]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """The tensors of a checkpoint file under the file's own names.

    Raises:
        FormatError: the file is missing, no regular file, empty, of no known format, broken, or would have to be
            executed to be read.
        CheckpointError: a Torch7 file, whose names are its structure, whose network is no DenseNet.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path}: is a directory; expected a checkpoint file (.pth, .pth.tar, .t7, .safetensors)")
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
        size = path.stat().st_size
    except FileNotFoundError:
        raise FormatError(f"{path}: there is no such checkpoint file") from None
    except OSError as error:
        raise FormatError(f"{path}: can't be opened ({error.strerror})") from None
    if size == 0:
        raise FormatError(f"{path}: the file is empty; fetch it anew")
    for is_format, reader in READERS:
        if is_format(head, size):
            return reader(path)
    start = head.lstrip().lower()
    for signature, what in IMPOSTORS:
        if start.startswith(signature):
            raise FormatError(f"{path}: this is {what}; fetch the checkpoint anew ({size:,} bytes)")
    raise FormatError(
        f"{path}: no checkpoint format that densezoo reads (starts with {head[:8]!r}, {size:,} bytes); "
        "expected a PyTorch, Torch7 or safetensors file"
    )


def file_sha256(path: str | Path) -> str:
    """64 hex digits."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
