"""Paddle's ``.pdparams``: a pickled {name: numpy array}, read as data (python/paddle/framework/io.py, paddle.save)."""

from __future__ import annotations

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes
from densezoo.formats.containers import pickle as pickled
from densezoo.formats.containers.pickle_values import Array, Constructor, RefusedClass, UnsupportedPickle
from densezoo.types import Checkpoint

NAMES = "StructuredToParameterName@@"  # {layer's name: Paddle's internal name}


def _first_data(arguments: tuple[object, ...]) -> object:
    """The array of a stored tensor, which Paddle writes as ``eval("data", {"data": array})``; it is never evaluated."""
    match arguments:
        case ("data", {"data": array}):
            return array
    raise ValueError("builtins.eval of something that is no Paddle tensor")


def _tuple(arguments: tuple[object, ...]) -> tuple[object, ...]:
    match arguments:
        case (list() | tuple() as items,):
            return tuple(items)
    raise ValueError("builtins.tuple of something that is no list")


CONSTRUCTORS: dict[str, Constructor] = {"builtins.eval": _first_data, "builtins.tuple": _tuple}


def read_paddle(data: Bytes) -> Checkpoint:
    """Every array of the file.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated; a pickled object; no arrays.
    """
    path = data.path
    data.file.seek(data.start)
    try:
        content = pickled.load(data.file, CONSTRUCTORS, shapes_only=data.opened.shapes_only)
    except RefusedClass as error:
        raise FormatError(f"{path}: {error}; ask for a file of arrays or a PyTorch state_dict") from None
    except UnsupportedPickle as error:
        raise FormatError(f"{path}: {error}") from None
    except FormatError as error:
        raise FormatError(
            f"{path}: a pickle by its first bytes, but broken or truncated at its {len(data):,} bytes "
            f"({error}); fetch it anew"
        ) from None
    content = content if isinstance(content, dict) else {}
    arrays = {name: _array(value) for name, value in content.items() if name != NAMES}
    tensors = {
        name: array.tensor(f"{path}: {name}")
        for name, array in arrays.items()
        if isinstance(name, str) and isinstance(array, Array)
    }
    if not tensors or len(tensors) < len(arrays):
        others = [str(name) for name, array in arrays.items() if not isinstance(array, Array)]
        contents = f"other things under {', '.join(others[:4])}" if others else "no arrays"
        raise FormatError(
            f"{path}: expected a pickled {{name: numpy array}}, as paddle.save writes it; found {contents}"
        )
    return Checkpoint(str(path), "paddle", tensors)


def _array(value: object) -> object:
    """The array of an entry, which is an array or a pair (Paddle's internal name, array)."""
    match value:
        case (str(), Array() as array):
            return array
    return value
