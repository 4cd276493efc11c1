"""Storages and tensors of torch's pickles, as data until they are built.

Format: torch/_utils.py (_rebuild_tensor_v2) and torch/serialization.py (persistent ids).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, Bytes, cut, item_size, to_tensor
from densezoo.formats.containers import pickle as pickled
from densezoo.formats.containers.pickle_values import Array, Constructor, RefusedClass, Symbol, UnsupportedPickle
from densezoo.formats.containers.zip import Archive
from densezoo.formats.limits import MAX_DIMENSIONS

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
class TorchStorage:
    """A storage of the file; its bytes are looked up by its key when they are asked for.

    Args:
        dtype: of its numbers, numpy's name without byte order.
        key: its name in the file.
        numel: how many numbers it has.
        offset: of its first number in another storage, if it is a view of one; numbers.
    """

    dtype: str
    key: str
    numel: int
    offset: int = 0


@dataclass(frozen=True)
class Deferred:
    """A tensor of the file, not built yet: the first arguments of torch._utils._rebuild_tensor_v2.

    Args:
        storage: of its numbers.
        offset: of its first number in the storage, numbers.
        size: its sides.
        stride: numbers from one element to the next, for each side.
    """

    storage: TorchStorage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def build(self, storages: Storages, error_prefix: str) -> Tensor:
        """The tensor, a view of its storage's numbers.

        Args:
            storages: of the file.
            error_prefix: its name, for messages.

        Raises:
            FormatError: it reaches beyond its storage, repeats numbers, or the storage reaches beyond the file.
        """
        stored = self.storage
        if len(self.size) > MAX_DIMENSIONS:
            raise FormatError(
                f"{error_prefix}: a tensor of {len(self.size):,} sides; expected at most {MAX_DIMENSIONS}"
            )
        first = stored.offset + self.offset
        last = first + sum((side - 1) * step for side, step in zip(self.size, self.stride))
        numbers = (first, *self.size, *self.stride)
        if len(self.size) != len(self.stride) or min(numbers) < 0 or prod(self.size) > stored.numel:
            raise FormatError(
                f"{error_prefix}: a tensor of size {self.size}, stride {self.stride} on {stored.numel:,} numbers"
            )
        if prod(self.size) and last >= stored.numel:
            raise FormatError(f"{error_prefix}: reaches number {last:,} of a storage of {stored.numel:,}")
        flat = storages.numbers(stored, error_prefix)
        return torch.as_strided(flat, self.size, self.stride, first) if prod(self.size) else torch.empty(0)


@dataclass
class Storages:
    """The storages of a file; each is read once, even if several tensors are views of it.

    Args:
        bytes_of: key of a storage -> its bytes.
        byteorder: of their numbers, "<" or ">".
        built: {(key, dtype, numel): numbers} of those that were read.
    """

    bytes_of: Callable[[str], Bytes]
    byteorder: str
    built: dict[tuple[str, str, int], Tensor] = field(default_factory=dict)

    def numbers(self, stored: TorchStorage, error_prefix: str) -> Tensor:
        """All numbers of a storage.

        Args:
            stored: the storage.
            error_prefix: the tensor's name, for messages.

        Raises:
            FormatError: the file doesn't have them.
        """
        key = stored.key, stored.dtype, stored.numel
        if key not in self.built:
            dtype = stored.dtype if stored.dtype == BFLOAT16 else f"{self.byteorder}{stored.dtype}"
            size = stored.numel * item_size(dtype)
            data = cut(self.bytes_of(stored.key), 0, size, f"{error_prefix}: the storage {stored.key}")
            self.built[key] = to_tensor(data, dtype, (stored.numel,), error_prefix)
        return self.built[key]


Stateful = Deferred | Array  # what a state_dict holds


def _whole(values: object) -> tuple[int, ...]:
    if isinstance(values, (tuple, list)) and all(type(value) is int for value in values):
        return tuple(values)
    raise ValueError("sizes and strides are no whole numbers")


def _tensor(arguments: tuple[object, ...]) -> Deferred:
    storage, offset, size, stride = arguments[:4]
    if not isinstance(storage, TorchStorage) or type(offset) is not int:
        raise ValueError("a tensor without a storage")
    return Deferred(storage, offset, _whole(size), _whole(stride))


CONSTRUCTORS: dict[str, Constructor] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda arguments: arguments[0],
    "torch._utils._rebuild_parameter_with_state": lambda arguments: arguments[0],
}


class OtherNumbers(UnsupportedPickle):
    """A storage of numbers that densezoo doesn't read: quantised, complex or 8-bit floats."""


def persistent(key: object) -> TorchStorage | Symbol:
    """The value of a persistent id: ("storage", class, key, device, numel[, (key, offset, numel)]), a storage.

    The class of a whole model, with its source code, is a persistent id, too: ("module", class, file, code).

    Args:
        key: the id.

    Raises:
        OtherNumbers: the storage is of none of _DTYPES.
    """
    match key:
        case ("module", Symbol() as symbol, *_):
            return symbol
        case ("storage", Symbol(name), str(record), _, int(numel), *view):
            kind = _STORAGE.fullmatch(name)
            if kind and kind[1] in _DTYPES and numel >= 0:
                match view:
                    case [] | [None]:
                        return TorchStorage(_DTYPES[kind[1]], record, numel)
                    case [(_, int(offset), _)]:
                        return TorchStorage(_DTYPES[kind[1]], record, numel, offset)
            if name.endswith("Storage"):
                raise OtherNumbers(f"holds a {name}: quantised, complex or 8-bit numbers; expected floating point")
    raise ValueError("a persistent id that is no storage of numbers")


def harmless(name: str) -> bool:
    """Whether the result of a class or function of torch may be inert data.

    Args:
        name: dotted, such as ``torch.Tensor``.
    """
    return _INERT_TORCH.fullmatch(name) is not None


def byteorder(archive: Archive, root: str) -> str:
    """The byte order of the numbers in an archive that torch wrote: "<" or ">".

    Args:
        archive: the zip archive.
        root: the folder of all members in it.
    """
    member = f"{root}/byteorder"
    stated = archive.read(member) if member in archive.members else b""
    return ">" if isinstance(stated, Bytes) and len(stated) == 3 and bytes(stated.read()) == b"big" else "<"


def broken(path: Path, reason: str) -> str:
    """The message for a PyTorch file that can't be read to its end.

    Args:
        path: the file.
        reason: what is wrong with it.
    """
    size = path.stat().st_size
    return (
        f"{path}: a PyTorch file by its first bytes, but broken or truncated at its {size:,} bytes ({reason}); "
        "fetch it anew"
    )


def load_pickle(
    data: Bytes, find: Callable[[object], object] = persistent, allows: Callable[[str], bool] = harmless
) -> object:
    """`densezoo.formats.containers.pickle.load` of the torch pickle at the beginning of these bytes.

    Args:
        data: begins with the pickle; what follows it is not read.
        find: persistent id -> its value.
        allows: dotted name -> whether its result may be inert data.

    Raises:
        FormatError: it is truncated or broken, or calls a class or function that is not allowed; names the file, and
            what to do.
    """
    path = data.path
    data.file.seek(data.start)
    try:
        return pickled.load(data.file, CONSTRUCTORS, find, allows, data.opened.shapes_only)
    except RefusedClass as error:
        raise FormatError(f"{path}: {error}; {ASK}") from None
    except UnsupportedPickle as error:
        raise FormatError(f"{path}: {error}") from None
    except FormatError as error:
        raise FormatError(broken(path, str(error))) from None


def build_all(path: Path, deferred: Mapping[str, Stateful], storages: Storages) -> dict[str, Tensor]:
    """Build the tensors of a state_dict: {name: tensor}.

    Args:
        path: the file, for messages.
        deferred: {name: tensor that isn't built yet}.
        storages: of the file.

    Raises:
        FormatError: a tensor doesn't fit the file.
    """
    try:
        return {
            name: item.build(storages, name) if isinstance(item, Deferred) else item.tensor(name)
            for name, item in deferred.items()
        }
    except FormatError as error:
        raise FormatError(broken(path, str(error)) if str(path) not in str(error) else str(error)) from None
