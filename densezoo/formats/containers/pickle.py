"""Pickles of any system as data: opcodes are read, and no class or function that they name is imported or called.

A pickle is a program for a stack machine (https://docs.python.org/3/library/pickletools.html). This machine builds
numbers, strings and containers, and asks a table what a named class or function would have made. An object of a class
that is in no table (a config, an optimiser) stands as its name and state; a call of anything that is in no table ends
the reading. torch.save files, TorchScript archives and Paddle's files are pickles.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from densezoo.errors import FormatError
from densezoo.formats.binary import SMALL
from densezoo.formats.containers.pickle_values import (
    HARMLESS,
    Constructor,
    Inert,
    RefusedClass,
    Skipped,
    Symbol,
    UnsupportedPickle,
    encoded,
    inert,
    keyed,
)

#: A checkpoint of the largest network with AdamW's moments and averaged weights takes 190,000; each may take 100 bytes.
MAX_OPERATIONS = 300_000
_PYTHON2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


@dataclass
class Machine:
    """The stack machine.

    Args:
        constructors: {dotted name of a class or function: what builds its result as data}.
        persistent: persistent id -> its value (torch's storages).
        allows: dotted name -> whether its result may be an `Inert`, though ``constructors`` doesn't have it.
        stack, marks: values on the stack; the stacks that were put aside at a mark.
        memo: {number: value that may be taken again}.
        encoded_texts: {id of a text: (the text, its bytes)}.
    """

    constructors: Mapping[str, Constructor]
    persistent: Callable[[object], object]
    allows: Callable[[str], bool]
    stack: list[object] = field(default_factory=list)
    marks: list[list[object]] = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)
    encoded_texts: dict[int, tuple[object, object]] = field(default_factory=dict)

    def symbol(self, name: str) -> Symbol:
        module, _, rest = name.partition(".")
        return Symbol(f"{_PYTHON2_MODULES.get(module, module)}.{rest}")

    def make(self, function: object, arguments: object, instance: bool = False) -> object:
        """The data that stand for a call's result.

        Args:
            function: the class or function that the pickle calls; a `Symbol`, or it is refused.
            arguments: a tuple, or they are refused.
            instance: whether an instance is made without a call, which is always inert.

        Raises:
            ValueError: no call of a named class or function.
            RefusedClass: a call of one that only running its code could restore.
        """
        if not isinstance(function, Symbol) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is no named class or function")
        if function.name == "_codecs.encode" and arguments:  # a text that is encoded again and again is kept once
            encoded_text = self.encoded_texts.get(id(arguments[0]))
            if encoded_text is None:
                encoded_text = self.encoded_texts[id(arguments[0])] = (arguments[0], encoded(arguments))
            return encoded_text[1]
        if not instance and function.name not in self.constructors and not self.allows(function.name):
            raise RefusedClass(function.name)
        return self.constructors.get(function.name, inert(function.name))(arguments)

    def pop_mark(self) -> list[object]:
        items, self.stack = self.stack, self.marks.pop()
        return items


def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    if isinstance(machine.stack[-1], Inert):
        machine.stack[-1].state = state


def _call(machine: Machine, instance: bool = False) -> None:
    arguments = machine.stack.pop()
    machine.stack.append(machine.make(machine.stack.pop(), arguments, instance))


def _set_items(machine: Machine, items: list[object]) -> None:
    if isinstance(machine.stack[-1], dict):
        machine.stack[-1].update(keyed(items))


def _extend(machine: Machine, items: list[object]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(items)


def _pair(machine: Machine, count: int) -> tuple[object, ...]:
    items = tuple(machine.stack[-count:])
    if len(items) != count:
        raise IndexError("the stack is empty")
    del machine.stack[-count:]
    return items


def _mark(machine: Machine, argument: object) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine, argument: object) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _push(value: Callable[[Machine, Any], object]) -> Callable[[Machine, object], None]:
    def push(machine: Machine, argument: object) -> None:
        pushed = value(machine, argument)  # first, for it may change what the stack is
        machine.stack.append(pushed)

    return push


_LITERALS = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES "
    "SHORT_BINBYTES BINBYTES8 BYTEARRAY8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8"
)
#: {opcode: what it does with its argument, a number, text or bytes as pickletools reads it (it says Any)}:
#: https://github.com/python/cpython/blob/main/Lib/pickletools.py lists them all.
OPERATIONS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(_LITERALS.split(), _push(lambda machine, argument: argument)),
    "NONE": _push(lambda machine, argument: None),
    "NEWTRUE": _push(lambda machine, argument: True),
    "NEWFALSE": _push(lambda machine, argument: False),
    "EMPTY_TUPLE": _push(lambda machine, argument: ()),
    "EMPTY_LIST": _push(lambda machine, argument: []),
    "EMPTY_SET": _push(lambda machine, argument: []),
    "EMPTY_DICT": _push(lambda machine, argument: {}),
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": lambda machine, argument: machine.pop_mark().clear(),
    "DUP": _push(lambda machine, argument: machine.stack[-1]),
    "TUPLE": _push(lambda machine, argument: tuple(machine.pop_mark())),
    "TUPLE1": _push(lambda machine, argument: _pair(machine, 1)),
    "TUPLE2": _push(lambda machine, argument: _pair(machine, 2)),
    "TUPLE3": _push(lambda machine, argument: _pair(machine, 3)),
    "LIST": _push(lambda machine, argument: machine.pop_mark()),
    "FROZENSET": _push(lambda machine, argument: machine.pop_mark()),
    "DICT": _push(lambda machine, argument: keyed(machine.pop_mark())),
    "APPEND": lambda machine, argument: _extend(machine, [machine.stack.pop()]),
    "APPENDS": lambda machine, argument: _extend(machine, machine.pop_mark()),
    "ADDITEMS": lambda machine, argument: _extend(machine, machine.pop_mark()),
    "SETITEM": lambda machine, argument: _set_items(machine, list(_pair(machine, 2))),
    "SETITEMS": lambda machine, argument: _set_items(machine, machine.pop_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, argument: m.memo.update({argument: m.stack[-1]})),
    "MEMOIZE": lambda machine, argument: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _push(lambda machine, argument: machine.memo[argument])),
    "GLOBAL": _push(lambda machine, argument: machine.symbol(argument.replace(" ", "."))),
    "STACK_GLOBAL": _push(lambda machine, argument: machine.symbol("{}.{}".format(*_pair(machine, 2)))),
    "REDUCE": lambda machine, argument: _call(machine),
    "NEWOBJ": lambda machine, argument: _call(machine, instance=True),
    "BUILD": lambda machine, argument: _build(machine),
    "BINPERSID": _push(lambda machine, argument: machine.persistent(machine.stack.pop())),
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
}


#: {opcode's byte: (its name, what it does, how its argument is read)}.
_OPCODES = {
    opcode.code.encode("latin1"): (opcode.name, OPERATIONS.get(opcode.name), opcode.arg.reader if opcode.arg else None)
    for opcode in pickletools.opcodes
}


#: {opcode of a string: bytes of its length}.
_STRINGS = {"BINUNICODE": 4, "BINUNICODE8": 8, "BINBYTES": 4, "BINBYTES8": 8, "BYTEARRAY8": 8, "BINSTRING": 4}


def _skipped(file: BinaryIO, width: int) -> Skipped | None:
    """Go past a string, if it is a long one."""
    size = int.from_bytes(file.read(width), "little")
    if size <= SMALL:
        file.seek(-width, 1)
        return None
    file.seek(size, 1)
    return Skipped()


def _no_persistent_ids(key: object) -> object:
    raise ValueError("a reference to something outside the pickle")


def load(
    file: BinaryIO,
    constructors: Mapping[str, Constructor] | None = None,
    persistent: Callable[[object], object] = _no_persistent_ids,
    allows: Callable[[str], bool] = lambda name: False,
    shapes_only: bool = False,
) -> object:
    """The value of the pickle that begins at the file's position; afterwards the position is the pickle's end.

    Args:
        file: at the pickle's beginning.
        constructors: {dotted name: what builds its result as data}, beside HARMLESS.
        persistent: persistent id -> its value (torch's storages).
        allows: dotted name -> whether its result may be an `Inert`, though it is neither in HARMLESS nor in
            ``constructors``.
        shapes_only: leave long strings, which are the numbers of arrays, unread.

    Raises:
        RefusedClass: it calls a class or function that is neither known nor allowed.
        FormatError: truncated, broken, or longer than any checkpoint's.
    """
    machine = Machine({**HARMLESS, **(constructors or {})}, persistent, allows)
    start = file.tell()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pickletools': strange escapes in a broken string
            for _ in range(MAX_OPERATIONS):  # as pickletools.genops does, in half the time
                name, operate, read_argument = _OPCODES[file.read(1)]
                skipped = _skipped(file, _STRINGS[name]) if shapes_only and name in _STRINGS else None
                argument = skipped or (read_argument(file) if read_argument else None)
                if operate is not None:
                    operate(machine, argument)
                elif name == "STOP":
                    return machine.stack.pop()
                else:
                    raise UnsupportedPickle(f"holds a pickle with the operation {name}, which no checkpoint needs")
    except FormatError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        reason = str(error).partition("\n")[0][:120] or type(error).__name__
        raise FormatError(f"broken pickle before byte {file.tell():,} (it begins at {start:,}): {reason}") from None
    raise UnsupportedPickle(
        f"holds a pickle of more than {MAX_OPERATIONS:,} operations; expected at most so many in a checkpoint"
    )
