"""``.npz`` archives of arrays, as Chainer writes them: numpy/lib/format.py (one .npy a member)."""

from __future__ import annotations

import ast

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.archive import Archive
from densezoo.formats.binary import to_tensor
from densezoo.types import Checkpoint

MAGIC = b"\x93NUMPY"
MAX_HEADER = 4096
_KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")


def read_npz(archive: Archive, root: str) -> Checkpoint:
    """Every array of the archive, under its member's name without ``.npy``.

    Raises:
        FormatError: broken or truncated; arrays of Python objects; members that decompress to too much.
    """
    tensors = {name.removesuffix(".npy"): _array(archive, name) for name in archive.members}
    return Checkpoint(str(archive.path), "npz", tensors)


def _array(archive: Archive, name: str) -> Tensor:
    where = f"{archive.path}: {name}"
    data = archive.read(name)
    wide = bytes(data[6:7]) != b"\x01"
    start = 12 if wide else 10
    end = start + int.from_bytes(data[8:start], "little")
    if bytes(data[:6]) != MAGIC or end > min(len(data), MAX_HEADER):
        raise FormatError(f"{where}: expected numpy's array format; found {bytes(data[:8])!r}")
    try:
        header = ast.literal_eval(bytes(data[start:end]).decode("latin1").strip())
        dtype, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
        sides = [int(side) for side in shape]
    except (ValueError, SyntaxError, LookupError, TypeError, RecursionError, MemoryError) as error:
        raise FormatError(f"{where}: no readable header ({error!r:.80})") from None
    if not isinstance(dtype, str) or dtype[1:] not in _KINDS or dtype[0] not in "<>|=":
        raise FormatError(f"{where}: holds {dtype!r}; expected numbers")
    stored = to_tensor(data[end:], dtype, sides[::-1] if fortran else sides, where)
    return stored.permute(*range(stored.ndim - 1, -1, -1)) if fortran else stored
