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
from densezoo.formats.timm_config import config_beside, stated_by_timm
from densezoo.types import Checkpoint

#: Entries of averaged weights, which timm and torchvision evaluate and publish where a file has them.
AVERAGED_ENTRIES = ("state_dict_ema", "model_ema")
#: Entries of the weights in training scripts' wrappers; a state_dict under another name is one if it is the only one.
STATE_DICT_ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "net", "module")
#: pickle.dumps(0x1950A86A20F9469CFC6C, 2): the first of the pickles of a legacy file.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_ASK = "ask for the state_dict: torch.save(model.state_dict(), ...)"
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

    def remember(key: Any) -> Stored | pickled.Symbol:
        stored = persistent(key)
        if isinstance(stored, Stored):
            seen.setdefault(stored.key, stored)
        return stored

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
        raise FormatError(f"{path}: {error}; {_ASK}") from None
    except OtherNumbers as error:
        raise FormatError(f"{path}: {error}") from None
    except FormatError as error:
        raise FormatError(_broken(path, str(error))) from None


def _checkpoint(path: Path, content: Any, storage_bytes: Callable[[str], memoryview], order: str) -> Checkpoint:
    if _is_state_dict(content):
        built = build_all(path, content, storage_bytes, order)
        return Checkpoint(str(path), "pytorch", built, semantics=config_beside(path))
    entry, others = _choose(path, content)
    built = build_all(path, _state_dicts(content)[entry], storage_bytes, order)
    beside = {str(name): _count_tensors(value) for name, value in content.items() if name != entry.partition(".")[0]}
    dropped = {name: count for name, count in beside.items() if count}
    hints = (f"the weights are the entry {entry}; not used: {', '.join(others)}",) if others else ()
    stated = {**config_beside(path), **_stated(path, content.get("args"))}
    return Checkpoint(str(path), "pytorch", built, dropped, {"entry": entry}, semantics=stated, hints=hints)


def _stated(path: Path, arguments: object) -> dict[str, object]:
    """What timm's train.py keeps of its command line beside the weights."""
    given = arguments.state if isinstance(arguments, pickled.Inert) else arguments
    return stated_by_timm(path, given, "model", "model_kwargs") if isinstance(given, Mapping) else {}


def _choose(path: Path, content: Any) -> tuple[str, list[str]]:
    """The entry of a training script's wrapper that holds the weights, and the entries of other ones.

    Raises:
        FormatError: there is none, or which of several is meant can't be known.
    """
    found = _state_dicts(content)
    averaged, known = ([name for name in names if name in found] for names in (AVERAGED_ENTRIES, STATE_DICT_ENTRIES))
    chosen = averaged[:1] or known or list(found)
    if len(chosen) == 1:
        return chosen[0], [name for name in found if name != chosen[0]]
    if chosen:
        raise FormatError(
            f"{path}: holds several networks, {', '.join(chosen[:8])}, and nothing says which is meant; "
            "save the state_dict of that one alone"
        )
    raise FormatError(f"{path}: {_no_state_dict(content)}")


def _state_dicts(content: Any) -> dict[str, Mapping[str, Stateful]]:
    """{entry: state_dict} of a wrapper's entries, and of the mappings in them.

    Under a name that isn't known, it is one if it holds a convolution's kernel (a loss has weights, too).
    """
    found = {}
    for name, value in content.items() if isinstance(content, Mapping) else ():
        inner = value.items() if isinstance(value, Mapping) and not _is_state_dict(value) else ()
        for path, item in ((str(name), value), *((f"{name}.{key}", item) for key, item in inner)):
            known = path in (*AVERAGED_ENTRIES, *STATE_DICT_ENTRIES)
            if _is_state_dict(item) and (known or any(len(_sides(part)) == 4 for part in item.values())):
                found[path] = item
    return found


def _no_state_dict(content: Any) -> str:
    """What a file without a state_dict holds instead, and what to do."""
    values = {"": content, **content} if isinstance(content, Mapping) else {"": content}
    for value in values.values():
        if type(value) is pickled.Inert and isinstance(value.state, dict) and "_modules" in value.state:
            return f"{pickled.RefusedClass(value.name)}; {_ASK}"
    names = ", ".join((*AVERAGED_ENTRIES, *STATE_DICT_ENTRIES))
    odd = [str(name) for name, value in values.items() if name and not isinstance(value, (Deferred, pickled.Array))]
    if 0 < len(odd) < len(values) - 1:
        return f"expected a state_dict; it has tensors, and beside them {', '.join(odd[:8])}, which are none"
    found = (
        f"the entries {', '.join(odd[:8])}"
        if odd
        else "one tensor"
        if isinstance(content, Deferred)
        else f"a {type(content).__name__}"
    )
    return f"expected a state_dict, alone or as one of {names}; found {found}"


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
        raise FormatError(_broken(path, str(error)) if str(path) not in str(error) else str(error)) from None


def _sides(item: Stateful) -> tuple[int, ...]:
    if isinstance(item, Deferred):
        return item.size
    shape = item.state[1] if isinstance(item.state, tuple) and len(item.state) > 1 else ()
    return shape if isinstance(shape, tuple) else ()


def _is_state_dict(value: object) -> TypeGuard[Mapping[str, Stateful]]:
    """Whether this is {name: tensor or numpy array} and nothing else (torch's ``_metadata`` is an attribute)."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(item, (Deferred, pickled.Array)) for name, item in value.items())
    )


def _count_tensors(value: object) -> int:
    """Tensors in nested mappings and sequences; a loop, for a file may nest deeper than Python recurses."""
    count, todo, seen = 0, [value], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, (Deferred, pickled.Array, Tensor)):
            count += 1
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
    return count
