"""``.npz`` archives of arrays, as Chainer writes them: numpy/lib/format.py (one .npy a member)."""

from __future__ import annotations

import re

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import cut, to_tensor
from densezoo.formats.containers.zip import Archive
from densezoo.types import Checkpoint

MAGIC = b"\x93NUMPY"
MAX_HEADER = 4096
#: A fact of the header, which is a dictionary in Python's syntax: a type, an order, a shape.
_FACT = re.compile(r"""["'](descr|fortran_order|shape)["']\s*:\s*('[^']*'|\[.*\]|True|False|\([\d, L]*\))""")
_KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")


def read_npz(archive: Archive, root: str) -> Checkpoint:
    """Every array of the archive, under its member's name without ``.npy``.

    Args:
        archive: the zip archive.
        root: not used: the arrays lie in no folder.

    Raises:
        FormatError: broken or truncated; arrays of Python objects; members that decompress to too much.
    """
    tensors = {name.removesuffix(".npy"): _array(archive, name) for name in archive.members}
    return Checkpoint(str(archive.path), "npz", tensors)


def _array(archive: Archive, name: str) -> Tensor:
    error_prefix = f"{archive.path}: {name}"
    data = archive.read(name)
    head = bytes(cut(data, 0, min(len(data), 12), "a header").read())
    start = 10 if head[6:7] == b"\x01" else 12
    end = start + int.from_bytes(head[8:start], "little")
    if not head.startswith(MAGIC) or end > min(len(data), MAX_HEADER):
        raise FormatError(f"{error_prefix}: expected numpy's array format; found {head[:8]!r}")
    header = bytes(cut(data, start, end - start, "a header").read()).decode("latin1")
    facts = dict(_FACT.findall(header))
    if facts.keys() != {"descr", "fortran_order", "shape"}:
        raise FormatError(f"{error_prefix}: no readable header ({header:.80})")
    dtype, fortran = facts["descr"].strip("'"), facts["fortran_order"] == "True"
    if dtype[1:] not in _KINDS or dtype[0] not in "<>|=":
        raise FormatError(f"{error_prefix}: holds {facts['descr']}; expected numbers")
    sides = [int(side) for side in re.findall(r"\d{1,18}", facts["shape"])]
    stored = to_tensor(
        cut(data, end, len(data) - end, error_prefix), dtype, sides[::-1] if fortran else sides, error_prefix
    )
    return stored.permute(*range(stored.ndim - 1, -1, -1)) if fortran else stored
