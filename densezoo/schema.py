"""Untrusted mappings (a config, a metafile entry, a JSON result) into the dataclasses of `densezoo.types`.

Every key is known, every value has its field's type, nothing required is absent: or an error that names the place.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from densezoo.errors import DensezooError, suggestion

T = TypeVar("T")


class _Mismatch(Exception):
    """A value that is not of its field's type; carries what was expected."""


def build(cls: type[T], values: object, where: str, error: type[DensezooError]) -> T:
    """An instance of the dataclass ``cls`` from a mapping of its fields; lists become tuples.

    Args:
        where: file and field, for messages.
        error: what to raise.

    Raises:
        error: not a mapping, an unknown key (with the nearest known one), a missing key, a wrong type.
    """
    if not isinstance(values, Mapping):
        raise error(f"{where}: expected a mapping of {cls.__name__} fields, found {values!r}")
    hints, required = _fields(cls)  # type: ignore[arg-type]  # classes are hashable
    for key in values:
        if key not in hints:
            raise error(f"{where}: unknown key {key!r}{suggestion(str(key), hints)}")
    for name in required:
        if name not in values:
            raise error(f"{where}: the key {name!r} is missing")
    arguments = {}
    for key, value in values.items():
        try:
            arguments[key] = _checked(value, hints[key], f"{where}: {key}", error)
        except _Mismatch as mismatch:
            raise error(f"{where}: {key} is {value!r}; expected {mismatch}") from None
    try:
        return cls(**arguments)
    except DensezooError as invalid:  # a value of the right type that the dataclass itself refuses
        raise error(f"{where}: {invalid}") from None


@cache
def _fields(cls: type[Any]) -> tuple[dict[str, Any], list[str]]:
    """({field of a dataclass: its type}, the fields without a default)."""
    hints, fields, missing = get_type_hints(cls), dataclasses.fields(cls), dataclasses.MISSING
    required = [field.name for field in fields if field.default is missing and field.default_factory is missing]
    return {field.name: hints[field.name] for field in fields}, required


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """(what a generic type is of, its arguments), which `typing` finds out anew each time."""
    return get_origin(hint), get_args(hint)


def _checked(value: object, hint: Any, where: str, error: type[DensezooError]) -> object:
    origin, args = _parts(hint)
    if origin is Literal:
        if value not in args:
            raise _Mismatch("one of " + ", ".join(repr(arg) for arg in args))
        return value
    if origin in (Union, types.UnionType):
        return _checked_union(value, args, where, error)
    if origin is tuple:
        return _checked_tuple(value, args, where, error)
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where, error)  # type: ignore[arg-type]
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _Mismatch("a mapping")
        return {key: _checked(item, args[1], f"{where}.{key}", error) for key, item in value.items()}
    if hint is object:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is an int to Python, and never a number to a reader of configs
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise _Mismatch({int: "a whole number", float: "a number", str: "a string", bool: "True or False"}[hint])


def _checked_union(value: object, args: tuple[Any, ...], where: str, error: type[DensezooError]) -> object:
    expected = []
    if value is None and type(None) in args:
        return None
    for arg in args:
        if arg is type(None):
            expected.append("None")
            continue
        try:
            return _checked(value, arg, where, error)
        except _Mismatch as mismatch:
            expected.append(str(mismatch))
    raise _Mismatch(" or ".join(expected))


def _checked_tuple(value: object, args: tuple[Any, ...], where: str, error: type[DensezooError]) -> object:
    if not isinstance(value, (list, tuple)):
        raise _Mismatch("a list")
    if args[-1] is not Ellipsis and len(value) != len(args):
        raise _Mismatch(f"a list of {len(args)}")
    items = [args[0]] * len(value) if args[-1] is Ellipsis else args
    return tuple(_checked(item, hint, f"{where}[{i}]", error) for i, (item, hint) in enumerate(zip(value, items)))
