"""torch's pickles: storages, and tensors on them, as data (`densezoo.formats.pickled`).

Format: torch/_utils.py (_rebuild_tensor_v2) and torch/serialization.py (persistent ids).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats import pickled
from densezoo.formats.archive import Archive
from densezoo.formats.binary import BFLOAT16, cut, item_size, to_tensor

ASK = "ask for the state_dict: torch.save(model.state_dict(), ...)"
_DTYPES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": BFLOAT16, "Long": "i8", "Int": "i4", "Short": "i2",
    "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_STORAGE = re.compile(r"torch\.(?:cuda\.)?(\w+)Storage")
_INERT_TORCH = re.compile(
    r"torch\.(cuda\.)?(\w+Storage|Tensor|nn\.parameter\.Parameter|u?int\d+|b?float\d+|bool|strided|"
    r"(serialization|jit|_utils)\.\w+|jit\._pickle\.\w+)"
)


@dataclass(frozen=True)
class Stored:
    """A storage of the file: where its bytes are is known when they are asked for."""

    dtype: str
    key: str
    numel: int
    offset: int = 0


@dataclass(frozen=True)
class Deferred:
    """A tensor of the file, not built yet: torch._utils._rebuild_tensor_v2's first arguments."""

    storage: Stored
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def build(self, storage_bytes: Callable[[str], memoryview], byteorder: str, what: str) -> Tensor:
        """The tensor, on the file's bytes.

        Raises:
            FormatError: it reaches out of its storage, repeats its numbers, or its storage out of the file.
        """
        stored = self.storage
        dtype = stored.dtype if stored.dtype == BFLOAT16 else f"{byteorder}{stored.dtype}"
        data = cut(storage_bytes(stored.key), 0, stored.numel * item_size(dtype), f"{what}: the storage {stored.key}")
        first = stored.offset + self.offset
        last = first + sum((side - 1) * step for side, step in zip(self.size, self.stride))
        numbers = (first, *self.size, *self.stride)
        if len(self.size) != len(self.stride) or min(numbers) < 0 or prod(self.size) > stored.numel:
            raise FormatError(f"{what}: a tensor of size {self.size}, stride {self.stride} on {stored.numel:,} numbers")
        if prod(self.size) and last >= stored.numel:
            raise FormatError(f"{what}: reaches number {last:,} of a storage of {stored.numel:,}")
        flat = to_tensor(data, dtype, (stored.numel,), what)
        return torch.as_strided(flat, self.size, self.stride, first) if prod(self.size) else torch.empty(0)


Stateful = Deferred | pickled.Array  # what a state_dict holds


def _whole(values: object) -> tuple[int, ...]:
    if isinstance(values, (tuple, list)) and all(type(value) is int for value in values):
        return tuple(values)
    raise ValueError("sizes and strides are no whole numbers")


def _tensor(arguments: tuple[Any, ...]) -> Deferred:
    storage, offset, size, stride = arguments[:4]
    if not isinstance(storage, Stored) or type(offset) is not int:
        raise ValueError("a tensor without a storage")
    return Deferred(storage, offset, _whole(size), _whole(stride))


CONSTRUCTORS: dict[str, pickled.Constructor] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda arguments: arguments[0],
    "torch._utils._rebuild_parameter_with_state": lambda arguments: arguments[0],
}


class OtherNumbers(FormatError):
    """A storage of numbers that no network of densezoo has: quantised, complex, of 8 bits."""


def persistent(key: Any) -> Stored | pickled.Symbol:
    """The storage that a persistent id names: ("storage", class, key, device, numel[, (key, offset, numel)]).

    A class of a whole model, with its source code, is a persistent id, too: ("module", class, file, code).

    Raises:
        OtherNumbers: the storage is of none of _DTYPES.
    """
    match key:
        case ("module", pickled.Symbol() as symbol, *_):
            return symbol
        case ("storage", pickled.Symbol(name), str(record), _, int(numel), *view):
            kind = _STORAGE.fullmatch(name)
            if kind and kind[1] in _DTYPES and numel >= 0:
                match view:
                    case [] | [None]:
                        return Stored(_DTYPES[kind[1]], record, numel)
                    case [(_, int(offset), _)]:
                        return Stored(_DTYPES[kind[1]], record, numel, offset)
            if name.endswith("Storage"):
                raise OtherNumbers(f"holds a {name}: quantised, complex or 8-bit numbers; expected floating point")
    raise ValueError("a persistent id that is no storage of numbers")


def harmless(name: str) -> bool:
    """Whether a name of torch's may stand in a file as inert data."""
    return _INERT_TORCH.fullmatch(name) is not None


def byteorder(archive: Archive, root: str) -> str:
    """Of the numbers in an archive that torch wrote, as numpy's dtypes begin."""
    member = f"{root}/byteorder"
    return ">" if member in archive.members and bytes(archive.read(member)) == b"big" else "<"


def broken(path: Path, reason: str) -> str:
    """What to say of a PyTorch file that can't be read to its end."""
    size = path.stat().st_size
    return (
        f"{path}: a PyTorch file by its first bytes, but broken or truncated at its {size:,} bytes ({reason}); "
        "fetch it anew"
    )


class _Reading:
    """A file on bytes that are not copied, as `pickletools.genops` reads one."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def read(self, count: int) -> bytes:
        found = bytes(self.data[self.position : self.position + count])
        self.position += len(found)
        return found

    def readline(self) -> bytes:
        rest = bytes(self.data[self.position : self.position + 4096])
        return self.read(rest.find(b"\n") + 1 or len(rest))

    def tell(self) -> int:
        return self.position


def load_pickle(
    path: Path, source: Any, find: Callable[[Any], object] = persistent, allows: Callable[[str], bool] = harmless
) -> Any:
    """`densezoo.formats.pickled.load` of a torch pickle: of bytes, or of a file at its position.

    Raises:
        FormatError: the same, with the file's name and what to do.
    """
    file = _Reading(source) if isinstance(source, memoryview) else source
    try:
        return pickled.load(file, CONSTRUCTORS, find, allows)
    except pickled.RefusedClass as error:
        raise FormatError(f"{path}: {error}; {ASK}") from None
    except OtherNumbers as error:
        raise FormatError(f"{path}: {error}") from None
    except FormatError as error:
        raise FormatError(broken(path, str(error))) from None


def build_all(
    path: Path, deferred: Mapping[str, Stateful], storage_bytes: Callable[[str], memoryview], order: str
) -> dict[str, Tensor]:
    """{name: tensor}.

    Raises:
        FormatError: one of them doesn't fit the file.
    """
    try:
        return {
            name: item.build(storage_bytes, order, name) if isinstance(item, Deferred) else item.tensor(name)
            for name, item in deferred.items()
        }
    except FormatError as error:
        raise FormatError(broken(path, str(error)) if str(path) not in str(error) else str(error)) from None
