"""``torch.save`` files, zip and legacy pickle, read as data: nothing in them is executed (`densezoo.formats.pickled`).

Formats: torch/serialization.py (_save, _legacy_save) and torch/_utils.py (_rebuild_tensor_v2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats import pickled
from densezoo.formats.archive import Archive
from densezoo.formats.binary import BFLOAT16, cut, item_size, map_file, to_tensor
from densezoo.types import Checkpoint

#: Entries that hold the weights in the wrappers seen in the field, best first: timm evaluates the averaged weights.
STATE_DICT_ENTRIES = ("state_dict_ema", "state_dict", "model_state_dict", "model_state", "model", "net")
#: pickle.dumps(0x1950A86A20F9469CFC6C, 2): the first of the pickles of a legacy file.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
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


def persistent(key: Any) -> Stored:
    """The storage that a persistent id names: ("storage", class, key, device, numel[, (key, offset, numel)])."""
    match key:
        case ("storage", pickled.Symbol(name), str(record), _, int(numel), *view):
            kind = _STORAGE.fullmatch(name)
            if kind and kind[1] in _DTYPES and numel >= 0:
                match view:
                    case [] | [None]:
                        return Stored(_DTYPES[kind[1]], record, numel)
                    case [(_, int(offset), _)]:
                        return Stored(_DTYPES[kind[1]], record, numel, offset)
    raise ValueError("a persistent id that is no storage of numbers")


def harmless(name: str) -> bool:
    """Whether a name of torch's may stand in a file as inert data."""
    return _INERT_TORCH.fullmatch(name) is not None


def byteorder(archive: Archive, root: str) -> str:
    """Of the numbers in an archive that torch wrote, as numpy's dtypes begin."""
    member = f"{root}/byteorder"
    return ">" if member in archive.members and bytes(archive.read(member)) == b"big" else "<"


def read_zip(archive: Archive, root: str) -> Checkpoint:
    """The state_dict of a ``torch.save`` file since torch 1.6, alone or in a training script's wrapper.

    Args:
        root: the folder in the archive that everything lies in.

    Raises:
        FormatError: broken or truncated; a pickled object, which only running code could restore; no tensors.
    """
    order = byteorder(archive, root)
    content = load_pickle(archive.path, archive.read(f"{root}/data.pkl"))
    return _checkpoint(archive.path, content, lambda key: archive.read(f"{root}/data/{key}"), order)


def read_legacy(path: Path) -> Checkpoint:
    """The same of a file before torch 1.6: five pickles, then a count and the bytes of each storage.

    Raises:
        FormatError: as for `read_zip`.
    """
    data = map_file(path)
    file: Any = data.obj
    _, _, system = (load_pickle(path, file) for _ in range(3))
    order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
    seen: dict[str, Stored] = {}

    def remember(key: Any) -> Stored:
        stored = persistent(key)
        return seen.setdefault(stored.key, stored) and stored

    content = load_pickle(path, file, remember)
    keys = load_pickle(path, file)
    storages, position = {}, file.tell()
    for key in keys if isinstance(keys, list) else ():
        if key not in seen:
            raise FormatError(_broken(path, f"at byte {position:,}: a storage that no tensor names"))
        count = int.from_bytes(_cut(path, data, position, 8, key), "little" if order == "<" else "big")
        size = count * item_size(seen[key].dtype)
        storages[key] = _cut(path, data, position + 8, size, f"the storage {key}")
        position += 8 + size

    def storage_bytes(key: str) -> memoryview:
        if key not in storages:
            raise FormatError(f"the storage {key} is not in the file")
        return storages[key]

    return _checkpoint(path, content, storage_bytes, order)


def _cut(path: Path, data: memoryview, start: int, length: int, what: str) -> memoryview:
    try:
        return cut(data, start, length, what)
    except FormatError as error:
        raise FormatError(_broken(path, str(error))) from None


def _broken(path: Path, reason: str) -> str:
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
    path: Path, source: Any, find: Callable[[Any], Stored] = persistent, allows: Callable[[str], bool] = harmless
) -> Any:
    """`densezoo.formats.pickled.load` of a torch pickle: of bytes, or of a file at its position.

    Raises:
        FormatError: the same, with the file's name and what to do.
    """
    file = _Reading(source) if isinstance(source, memoryview) else source
    try:
        return pickled.load(file, CONSTRUCTORS, find, allows)
    except pickled.RefusedClass as error:
        raise FormatError(f"{path}: {error}; ask for the state_dict: torch.save(model.state_dict(), ...)") from None
    except FormatError as error:
        raise FormatError(_broken(path, str(error))) from None


def _checkpoint(path: Path, content: Any, storage_bytes: Callable[[str], memoryview], order: str) -> Checkpoint:
    if _is_state_dict(content):
        return Checkpoint(str(path), "pytorch", build_all(path, content, storage_bytes, order))
    wrapper: Mapping[object, object] = content if isinstance(content, Mapping) else {}
    for entry in STATE_DICT_ENTRIES:
        tensors = wrapper.get(entry)
        if _is_state_dict(tensors):
            beside = {str(name): _count_tensors(value) for name, value in wrapper.items() if name != entry}
            dropped = {name: count for name, count in beside.items() if count}
            built = build_all(path, tensors, storage_bytes, order)
            return Checkpoint(str(path), "pytorch", built, dropped, metadata={"entry": entry})
    found = f"the entries {', '.join(map(str, list(wrapper)[:8]))}" if wrapper else f"a {type(content).__name__}"
    raise FormatError(
        f"{path}: expected a state_dict, alone or as one of {', '.join(STATE_DICT_ENTRIES)}; found {found}"
    )


def build_all(
    path: Path, deferred: Mapping[str, Deferred], storage_bytes: Callable[[str], memoryview], order: str
) -> dict[str, Tensor]:
    """{name: tensor}.

    Raises:
        FormatError: one of them doesn't fit the file.
    """
    try:
        return {name: tensor.build(storage_bytes, order, name) for name, tensor in deferred.items()}
    except FormatError as error:
        raise FormatError(_broken(path, str(error)) if str(path) not in str(error) else str(error)) from None


def _is_state_dict(value: object) -> TypeGuard[Mapping[str, Deferred]]:
    """Whether this is {name: tensor} and nothing else (torch's own ``_metadata`` is an attribute, not an entry)."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(item, Deferred) for name, item in value.items())
    )


def _count_tensors(value: object) -> int:
    """Tensors in nested mappings and sequences; a loop, for a file may nest deeper than Python recurses."""
    count, todo, seen = 0, [value], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, (Deferred, Tensor)):
            count += 1
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
    return count
