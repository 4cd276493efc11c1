"""Untrusted mappings (a config, a metafile entry, a JSON result) into the dataclasses of `densezoo.types`.

Unknown keys, values of a wrong type and missing keys end in an error that names file and field.
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


def build(cls: type[T], values: object, error_prefix: str, error: type[DensezooError]) -> T:
    """An instance of the dataclass ``cls`` from a mapping of its fields; lists become tuples.

    Args:
        cls: the dataclass.
        values: {field: value}, from a file.
        error_prefix: file and field, for messages.
        error: the class of the error that is raised.

    Raises:
        error: not a mapping, an unknown key (with the nearest known one), a missing key, a wrong type.
    """
    if not isinstance(values, Mapping):
        raise error(f"{error_prefix}: expected a mapping of {cls.__name__} fields, found {values!r}")
    hints, required = _fields(cls)  # type: ignore[arg-type]  # classes are hashable
    for key in values:
        if key not in hints:
            raise error(f"{error_prefix}: unknown key {key!r}{suggestion(str(key), hints)}")
    for name in required:
        if name not in values:
            raise error(f"{error_prefix}: the key {name!r} is missing")
    arguments = {}
    for key, value in values.items():
        hint, unconverted = hints[key]
        if type(value) in unconverted:  # most of the index
            arguments[key] = value
            continue
        try:
            arguments[key] = _checked(value, hint, f"{error_prefix}: {key}", error)
        except _Mismatch as mismatch:
            raise error(f"{error_prefix}: {key} is {value!r}; expected {mismatch}") from None
    try:
        return cls(**arguments)
    except DensezooError as invalid:  # a value of the right type that the dataclass itself refuses
        raise error(f"{error_prefix}: {invalid}") from None


@cache
def _fields(cls: type[Any]) -> tuple[dict[str, tuple[Any, frozenset[type]]], list[str]]:
    """({field of a dataclass: (its type, the classes whose values are right as they are)}, those without a default)."""
    hints, fields, missing = get_type_hints(cls), dataclasses.fields(cls), dataclasses.MISSING
    required = [field.name for field in fields if field.default is missing and field.default_factory is missing]
    return {field.name: (hints[field.name], _unconverted(hints[field.name])) for field in fields}, required


def _unconverted(hint: Any) -> frozenset[type]:
    """The classes whose very instances a type takes unchanged: str and NoneType of ``str | None``, none of a tuple."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return frozenset({str, int, float, bool, types.NoneType}.intersection(alternatives))


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """(what a generic type is of, its arguments, whether it is a dataclass), found out once a type."""
    return get_origin(hint), get_args(hint), dataclasses.is_dataclass(hint)


def _checked(value: object, hint: Any, error_prefix: str, error: type[DensezooError]) -> object:
    origin, args, is_dataclass = _parts(hint)
    if origin is Literal:
        if value not in args:
            raise _Mismatch("one of " + ", ".join(repr(arg) for arg in args))
        return value
    if origin in (Union, types.UnionType):
        return _checked_union(value, args, error_prefix, error)
    if origin is tuple:
        return _checked_tuple(value, args, error_prefix, error)
    if is_dataclass:
        return build(hint, value, error_prefix, error)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _Mismatch("a mapping")
        return {key: _checked(item, args[1], f"{error_prefix}.{key}", error) for key, item in value.items()}
    if hint is object:
        return value
    if issubclass(hint, float) and isinstance(value, (int, float)) and not isinstance(value, (bool, hint)):
        return hint(value)
    # bool is an int to Python, and never a number to a reader of configs
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    names = {bool: "True or False", int: "a whole number", float: "a number", str: "a string"}
    raise _Mismatch(next(name for kind, name in names.items() if issubclass(hint, kind)))


def _checked_union(value: object, args: tuple[Any, ...], error_prefix: str, error: type[DensezooError]) -> object:
    expected = []
    if value is None and type(None) in args:
        return None
    for arg in args:
        if arg is type(None):
            expected.append("None")
            continue
        try:
            return _checked(value, arg, error_prefix, error)
        except _Mismatch as mismatch:
            expected.append(str(mismatch))
    raise _Mismatch(" or ".join(expected))


def _checked_tuple(value: object, args: tuple[Any, ...], error_prefix: str, error: type[DensezooError]) -> object:
    if not isinstance(value, (list, tuple)):
        raise _Mismatch("a list")
    if args[-1] is not Ellipsis and len(value) != len(args):
        raise _Mismatch(f"a list of {len(args)}")
    items = [args[0]] * len(value) if args[-1] is Ellipsis else args
    return tuple(
        _checked(item, hint, f"{error_prefix}[{i}]", error) for i, (item, hint) in enumerate(zip(value, items))
    )
