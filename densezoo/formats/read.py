"""path -> `Checkpoint`, by what the file holds; its name and ending are not asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from densezoo.errors import FormatError
from densezoo.formats.identity import impostor
from densezoo.formats.pytorch import read_pytorch
from densezoo.formats.safetensors import looks_like_safetensors, read_safetensors
from densezoo.types import Checkpoint

HEAD_BYTES = 512  # enough for every signature below

#: (whether the head of a file of this size is that format, its reader), asked in this order.
READERS: list[tuple[Callable[[bytes, int], bool], Callable[[Path], Checkpoint]]] = [
    (lambda head, size: head.startswith(b"PK\x03\x04"), read_pytorch),  # torch.save's zip
    (lambda head, size: head[:1] == b"\x80", read_pytorch),  # torch.save before 1.6: pickles one after the other
    (looks_like_safetensors, read_safetensors),
]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """The tensors of a checkpoint file under the file's own names.

    Raises:
        FormatError: the file is missing, no regular file, empty, of no known format, broken, or would have to be
            executed to be read.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path}: is a directory; expected a checkpoint file (.pth, .pth.tar, .safetensors)")
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
    what = impostor(head)
    if what:
        raise FormatError(f"{path}: this is {what}; fetch the checkpoint anew ({size:,} bytes)")
    raise FormatError(
        f"{path}: no checkpoint format that densezoo reads (starts with {head[:8]!r}, {size:,} bytes); "
        "expected a PyTorch or a safetensors file"
    )
