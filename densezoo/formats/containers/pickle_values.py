"""Data in place of the results of a pickle's classes and functions: names with arguments, arrays, dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import to_tensor, without_numbers


class UnsupportedPickle(FormatError):
    """A pickle that may be whole, but uses what no checkpoint needs."""


class RefusedClass(UnsupportedPickle):
    """A class or function that only running its code could restore; ``name`` is its dotted name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"holds a pickled {name}, which only running its code could restore")
        self.name = name


@dataclass(frozen=True)
class Symbol:
    """A class or function that a pickle names: its name and nothing else."""

    name: str


@dataclass
class Inert:
    """An object that was not made.

    Args:
        name: the dotted name of the class or function that would make it.
        arguments: of the call.
        state: what the pickle then sets on the object.
    """

    name: str
    arguments: tuple[object, ...]
    state: object = None


@dataclass
class Array(Inert):
    """A numpy array; its state is (version, shape, dtype, Fortran order, bytes)."""

    def tensor(self, error_prefix: str) -> Tensor:
        """The array's numbers.

        Args:
            error_prefix: file and name of the array, for messages.

        Raises:
            FormatError: its parts don't fit together, or it holds no numbers.
        """
        match self.state:
            case (
                _,
                tuple(shape),
                Inert(arguments=(str(code), *_)) as dtype,
                bool(fortran),
                bytes() | Skipped() as data,
            ) if code[:1] in "fiub" and code[1:].isdigit() and all(isinstance(side, int) for side in shape):
                order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
                kind = f"{order if order in ('<', '>') else '<'}{code}"
                if kind[1:] not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"):
                    raise FormatError(f"{error_prefix}: is of the dtype {kind}; expected numbers")
                sides = shape[::-1] if fortran else shape
                if isinstance(data, Skipped):
                    stored = without_numbers(kind, sides)
                elif isinstance(data, bytes):
                    stored = to_tensor(data, kind, sides, error_prefix)
                else:
                    raise FormatError(f"{error_prefix}: a numpy array without its numbers")
                return stored.permute(*range(stored.ndim - 1, -1, -1)) if fortran else stored
        raise FormatError(f"{error_prefix}: a numpy array whose parts don't fit together")


@dataclass(frozen=True)
class Skipped:
    """A string that was not read."""


Constructor = Callable[[tuple[object, ...]], object]


def inert(name: str) -> Constructor:
    """A constructor of `Inert`s.

    Args:
        name: the dotted name of a class or function.
    """
    return lambda arguments: Inert(name, arguments)


def _dictionary(arguments: tuple[object, ...]) -> dict[object, object]:
    match arguments:
        case (Mapping() as items,):
            return dict(items)
        case (list(pairs),):  # OrderedDict's state in Python 2
            return keyed([item for pair in pairs for item in pair])
    return {}


def encoded(arguments: tuple[object, ...]) -> bytes | Skipped:
    """The bytes that protocol 2 writes as ``_codecs.encode(text, "latin1")``.

    Args:
        arguments: of that call.

    Raises:
        ValueError: the first one is no text.
    """
    match arguments:
        case (str(text), *_):
            return text.encode("latin1")
        case (Skipped() as skipped, *_):
            return skipped
    raise ValueError("_codecs.encode of no text")


_NUMPY = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
#: {dotted name: what it makes}: harmless classes that training scripts store beside the weights.
HARMLESS: dict[str, Constructor] = {
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda arguments: _dictionary(arguments[1:]),
    "collections.Counter": _dictionary,
    "builtins.dict": _dictionary,
    "builtins.bytes": lambda arguments: (
        Inert("builtins.bytes", arguments) if arguments else b""
    ),  # as protocol 2 has b""
    "_codecs.encode": encoded,
    **{f"{module}._reconstruct": lambda arguments: Array("numpy.ndarray", arguments) for module in _NUMPY},
    **{f"{module}.scalar": inert("numpy.scalar") for module in _NUMPY},
    **{
        name: inert(name)
        for name in (
            "argparse.Namespace",  # timm's and many others' arguments
            "builtins.bytearray",
            "builtins.complex",
            "builtins.frozenset",
            "builtins.getattr",  # a HistoryBuffer holds its own methods
            "builtins.list",
            "builtins.range",
            "builtins.set",
            "builtins.slice",
            "builtins.xrange",
            "collections.deque",
            "copyreg._reconstructor",  # any object, before protocol 2
            "datetime.date",
            "datetime.datetime",
            "datetime.timedelta",
            "datetime.timezone",
            "decimal.Decimal",
            "fractions.Fraction",
            "functools.partial",
            "mmengine.config.config.ConfigDict",
            "mmengine.logging.history_buffer.HistoryBuffer",
            "numpy.dtype",
            "numpy.ndarray",
            "pathlib.Path",
            "pathlib.PosixPath",
            "pathlib.WindowsPath",
            "torch.Size",
            "torch.device",
            "types.SimpleNamespace",
        )
    },
}


def keyed(items: list[object]) -> dict[object, object]:
    """{key: value} of a list [key, value, key, value, ...].

    Args:
        items: the list. A key that is no plain value is replaced by its number: hashing deeply nested tuples overruns
            the C stack.
    """
    return {
        key if key is None or isinstance(key, (str, int, float, bytes)) else f"key {i}": value
        for i, (key, value) in enumerate(zip(items[::2], items[1::2]))
    }
