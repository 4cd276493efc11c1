"""Torch7's serialised object graphs (``torch.save`` in Lua) as inert data: nothing in a file is ever run.

The layout is that of https://github.com/torch/torch7: ``File.lua`` (objects, back references), ``lib/TH/THDiskFile.c``
(binary and ASCII numbers), ``generic/Tensor.c`` and ``generic/Storage.c``. A file is untrusted: every length is held
against the bytes that are left before anything is allocated, and tensors are read only when they are asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, cut
from densezoo.formats.limits import MAX_DIMENSIONS
from densezoo.formats.torch7.encoding import BinarySource, Broken, StoredElements, TextSource, Unsupported

#: Type numbers of File.lua. 6 to 8 are functions: bytecode that is skipped; 6 is not numbered, so never referred to.
NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN, OLD_FUNCTION = range(7)
REFERENCED = (TABLE, OBJECT, 7, 8)

#: {class name without "Tensor" or "Storage": numpy type}; "l" is C's long, whose width only the writer knew.
ELEMENTS = {
    "Float": "f4", "Double": "f8", "Half": "f2", "Byte": "u1", "Char": "i1", "Short": "i2", "Int": "i4", "Long": "l",
}  # fmt: skip
CLASSES = (
    {f"torch.{name}": kind for name, kind in ELEMENTS.items()}
    | {f"torch.Cuda{name}": kind for name, kind in ELEMENTS.items() if name != "Float"}
    | {"torch.Cuda": "f4"}
)

#: Beginnings of the names of classes whose contents are no table of fields (https://github.com/torch/tds).
FOREIGN_CLASSES = ("tds.",)
MAX_DEPTH = 200  # objects within objects; a network in a DataParallelTable in a table has about 20
MAX_VALUES = 130_000  # the largest network has about 50,000; bounds the time and the memory


@dataclass(eq=False)
class Table:
    """A Lua table; ``at`` is its offset in the file, bytes, as in the classes below."""

    at: int
    items: dict[Value, Value] = field(default_factory=dict)


@dataclass(eq=False)
class LuaFunction:
    """A Lua function, without its bytecode."""

    at: int


@dataclass(eq=False)
class Module:
    """An object of any class but tensors and storages: its class, that class's version, and its fields."""

    at: int
    class_name: str
    version: int
    fields: Table


@dataclass(eq=False)
class Storage:
    """A flat array, still in the file."""

    at: int
    class_name: str
    stored: StoredElements


@dataclass(eq=False)
class Tensor:
    """A view of a storage; size, stride and offset in elements. No size: no elements."""

    at: int
    class_name: str
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    storage: Storage | None

    @property
    def name(self) -> str:
        """Its name in a `Checkpoint`; the file itself names no tensors."""
        return f"the tensor at offset {self.at:,}"

    @property
    def count(self) -> int:
        """How many elements it has."""
        return prod(self.size) if self.size else 0

    @property
    def span(self) -> int:
        """How many elements of the storage lie between its first and its last, both included."""
        return 1 + sum((size - 1) * stride for size, stride in zip(self.size, self.stride)) if self.size else 0


Value: TypeAlias = "float | str | bool | Table | LuaFunction | Module | Storage | Tensor | None"


class ObjectReader:
    """Reads one object with all that it refers to; ``values`` counts the values that were read.

    Args:
        source: the file's numbers and strings.
    """

    def __init__(self, source: BinarySource | TextSource) -> None:
        self.source = source
        self.objects: dict[int, tuple[int, Value]] = {}  # {number of an object: (its type number, the object)}
        self.values = 0

    def value(self, depth: int = 0) -> Value:
        """The next value.

        Args:
            depth: how many values it is nested in.

        Raises:
            Broken: the file ends too early, or holds what its format doesn't allow.
        """
        at = self.source.position
        kind = self.source.integer("the type number of a value (0 to 8)")
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            raise Unsupported(at, f"at most {MAX_VALUES:,} values, nested at most {MAX_DEPTH} deep", "more")
        if kind == NIL:
            return None
        if kind == NUMBER:
            return self.source.number("a number")
        if kind == STRING:
            return self.source.text(self.source.integer("the length of a string"), "a string").decode("latin-1")
        if kind == BOOLEAN:
            return self.source.integer("a boolean") == 1
        if kind == OLD_FUNCTION:
            return self._function(LuaFunction(at), depth)
        if kind in REFERENCED:
            return self._referenced(kind, at, depth)
        raise Broken(at, "the type number of a value (0 to 8)", kind)

    def _referenced(self, kind: int, at: int, depth: int) -> Value:
        """A table, object or function; if its number isn't new, the one that was read before."""
        index = self.source.integer("the number of an object")
        if index in self.objects:
            former_kind, former = self.objects[index]
            if former_kind != kind:
                raise Broken(at, f"object {index} again, of type {former_kind}", f"type {kind}")
            return former
        if kind == OBJECT:
            return self._object(index, at, depth)
        new = Table(at) if kind == TABLE else LuaFunction(at)
        self.objects[index] = kind, new
        return self._table(new, depth) if isinstance(new, Table) else self._function(new, depth)

    def _function(self, function: LuaFunction, depth: int) -> LuaFunction:
        self.source.skip(self.source.integer("the length of a function"), "a function's bytecode")
        self.value(depth + 1)  # the variables it closes over
        return function

    def _table(self, table: Table, depth: int) -> Table:
        count = self.source.integer("the number of a table's entries")
        self.source.check(4 * count, f"a table of {count:,} entries")  # an entry takes at least 4 bytes, even as text
        for _ in range(count):
            at = self.source.position
            key = self.value(depth + 1)
            if key is None or key != key or key in table.items:  # true and 1 are one key here; no file has both
                raise Broken(at, "a key that the table doesn't have yet", repr(key))
            table.items[key] = self.value(depth + 1)
        return table

    def _object(self, index: int, at: int, depth: int) -> Value:
        version, name = 0, self._name("a class version or name")
        if match := re.fullmatch(r"V (\d{1,9})", name):  # before there were versions, the name came at once
            version, name = int(match[1]), self._name("a class name")
        kind = CLASSES.get(name.removesuffix("Tensor").removesuffix("Storage"))
        if kind is not None and name.endswith("Storage"):
            storage = self._storage(at, name, self.source.dtype(kind))
            self.objects[index] = OBJECT, storage
            return storage
        if kind is not None and name.endswith("Tensor"):
            tensor = Tensor(at, name, (), (), 0, None)
            self.objects[index] = OBJECT, tensor
            return self._tensor(tensor, depth)
        if name.startswith(FOREIGN_CLASSES):
            raise Unsupported(at, "tables, tensors and modules", f"a {name}, which only Lua's own package reads")
        module = Module(at, name, version, Table(at))
        self.objects[index] = OBJECT, module
        if name == "nn.DataParallelTable" and version >= 2:
            self.value(depth + 1)  # its GPUs come before its fields
        fields = self.value(depth + 1)
        if not isinstance(fields, Table):
            raise Broken(at, f"a table with the fields of the {name}", describe(fields))
        module.fields = fields
        return module

    def _name(self, subject: str) -> str:
        return self.source.text(self.source.integer(f"the length of {subject}"), subject).decode("latin-1")

    def _storage(self, at: int, name: str, dtype: np.dtype[Any]) -> Storage:
        (count,) = self.source.longs(1, f"the length of a {name}")
        return Storage(at, name, self.source.elements(dtype, count, f"a {name}"))

    def _tensor(self, tensor: Tensor, depth: int) -> Tensor:
        at, name = tensor.at, tensor.class_name
        dimensions = self.source.integer(f"the number of dimensions of a {name}")
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            raise Broken(at, f"a {name} of 0 to {MAX_DIMENSIONS} dimensions", dimensions)
        tensor.size = self.source.longs(dimensions, f"the size of a {name}")
        tensor.stride = self.source.longs(dimensions, f"the stride of a {name}")
        tensor.offset = self.source.longs(1, f"the storage offset of a {name}")[0] - 1  # Lua counts from 1
        storage = self.value(depth + 1)
        storage_class = name.removesuffix("Tensor") + "Storage"
        if storage is not None and not (isinstance(storage, Storage) and storage.class_name == storage_class):
            raise Broken(at, f"a {storage_class} in a {name}", describe(storage))
        tensor.storage = storage
        if tensor.size:
            self._check_view(tensor, storage.stored.count if storage else 0)
        return tensor

    def _check_view(self, tensor: Tensor, stored: int) -> None:
        """Raises Broken unless every element of the view is in the storage."""
        inside = min(tensor.size) >= 1 and min(tensor.stride) >= 0 and tensor.offset >= 0
        if not inside or tensor.offset + tensor.span > stored:
            raise Broken(
                tensor.at,
                f"a view of the {stored:,} elements that are stored",
                f"a {tensor.class_name} of size {tensor.size}, stride {tensor.stride}, offset {tensor.offset:,}",
            )


class Torch7File:
    """A parsed file, still open so that tensors can be read.

    Args:
        path: the file.
        root: the object that was saved.
        objects: every table, object and function in the file, in its order.
        source: the file's numbers and strings.
    """

    def __init__(self, path: Path, root: Value, objects: list[Value], source: BinarySource | TextSource) -> None:
        self.path, self.root, self.objects = path, root, objects
        self._source = source
        self._unread = 2 * sum(item.stored.count for item in objects if isinstance(item, Storage))

    def array(self, tensor: Tensor) -> NDArray[Any]:
        """The numbers of a tensor; all calls together may return at most twice the numbers that the file stores.

        Args:
            tensor: of this file.

        Raises:
            FormatError: it has more elements than its storage, or they are no numbers, or were read too often.
        """
        storage = tensor.storage
        if storage is None or not tensor.size:
            return np.empty(0, np.float32)
        self._unread -= max(tensor.count, tensor.span)
        if tensor.count > storage.stored.count or self._unread < 0:
            raise FormatError(
                f"{self.path}: the {tensor.class_name} at offset {tensor.at:,} shares its elements with itself or with "
                "others, so that all of them together are more than the file stores; expected each weight once"
            )
        try:
            flat = self._source.read(storage.stored, tensor.offset, tensor.span)
        except Broken as error:
            raise FormatError(f"{self.path}: {error}; the file is broken, fetch it anew") from None
        strides = [stride * storage.stored.dtype.itemsize for stride in tensor.stride]
        view = np.lib.stride_tricks.as_strided(flat, tensor.size, strides, writeable=False)
        return flat.reshape(tensor.size) if view.flags.c_contiguous else view.copy()


def looks_like_torch7(head: bytes, size: int) -> bool:
    """Whether a file starts with a numbered table, object or function, in binary or as text.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
        size: of the file, in bytes.
    """
    if re.match(rb"[3478]\n[1-9]\d*\n\d+\n", head):
        return True
    return len(head) >= 8 and head[:4] in [bytes([kind, 0, 0, 0]) for kind in REFERENCED] and head[4:8] != bytes(4)


def open_torch7(data: Bytes) -> Torch7File:
    """Parse a Torch7 file.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken, truncated, or larger than its reader allows.
    """
    text = bytes(cut(data, 0, 2, "its first value").read())[1:] == b"\n"
    # a binary file doesn't say how many bytes its longs have, but with the wrong number no tensor can be read
    return _parse(data.path, [TextSource(data)] if text else [BinarySource(data, width) for width in (8, 4)])


def _parse(path: Path, sources: list[TextSource] | list[BinarySource]) -> Torch7File:
    """The file, read by the first source that can read it whole."""
    errors: dict[int, Broken] = {}
    for source in sources:
        try:
            source.file.seek(source.data.start)
            reader = ObjectReader(source)
            root = reader.value()
            source.check_end()
            return Torch7File(path, root, [value for _, value in reader.objects.values()], source)
        except Broken as error:
            errors.setdefault(source.position, error)
            if isinstance(error, Unsupported):
                break
    worst = next((error for error in errors.values() if isinstance(error, Unsupported)), errors[max(errors)])
    advice = "fetch it anew"
    if isinstance(worst, Unsupported):
        advice = "save the network alone from Lua: torch.save(path, net)"
    elif isinstance(sources[0], TextSource):
        advice = "fetch it anew; if it is whole, it is an old Torch's text: save it in binary, torch.save(path, net)"
    raise FormatError(f"{path}: a Torch7 file by its first bytes, but {worst}; {advice}")


def describe(value: Value) -> str:
    """What a value is, for messages.

    Args:
        value: of a Torch7 file.
    """
    if isinstance(value, (Module, Storage, Tensor)):
        return f"a {value.class_name} at offset {value.at:,}"
    if isinstance(value, (Table, LuaFunction)):
        return f"a {'table' if isinstance(value, Table) else 'function'} at offset {value.at:,}"
    return "nothing" if value is None else repr(value)[:40]
