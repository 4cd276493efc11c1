"""Config files -> `Experiment`.

A config is an mmengine ``Config`` file of literals: ``name = <literal>`` lines and at most one ``_base_``. It is
read as a syntax tree and never executed, so a config from anywhere is safe to open, and reading all of them to
list the index takes milliseconds. mmengine reads the same files to the same values (tests/test_config.py).
"""

from __future__ import annotations

import ast
import dataclasses
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from densezoo import schema
from densezoo.errors import ConfigError
from densezoo.families import build_architecture
from densezoo.imports import import_mmengine
from densezoo.paths import relative_to_root
from densezoo.protocols.own import ENDINGS
from densezoo.types import Experiment, Recipe


def load_config(path: str | Path, overrides: Mapping[str, object] | None = None) -> Experiment:
    """The experiment that a config file describes.

    Args:
        path: the config file.
        overrides: {"model.drop_rate": 0.1, ...}, as ``--cfg-options`` gives them.

    Raises:
        ConfigError: the file is missing, holds more than literals, or has an unknown key or a wrong type.
    """
    path = Path(path)
    if path.suffix != ".py" and path.is_file():
        raise ConfigError(f"{path}: expected a config, a .py file such as configs/densenet121.py, not a checkpoint")
    values = _read(path.resolve())
    own = path.resolve().parent / str(values.get("protocol", ""))
    if own.suffix in ENDINGS and own.is_file():
        values["protocol"] = str(own)  # a user's own lies beside the config, wherever the command runs
    if overrides:
        merged = import_mmengine("mmengine.config").Config(values)  # takes 0.2 s, and few runs need it
        merged.merge_from_dict(dict(overrides))
        values = merged.to_dict()
    named = {"name": path.stem, "path": relative_to_root(path), **values}
    if "model" in values:
        architecture = named["model"] = build_architecture(values["model"], f"{path}: model")
        _check_level(named, {"model": type(architecture), "train": Recipe}, path)
    return schema.build(Experiment, named, str(path), ConfigError)


def _check_level(values: Mapping[str, object], parts: Mapping[str, type[object]], path: Path) -> None:
    """Refuse a field that belongs into a part of the config.

    Args:
        values: of the config.
        parts: {name of a part: its dataclass}.
        path: of the config, for messages.

    Raises:
        ConfigError: there is one; names its place.
    """
    unknown = values.keys() - _field_names(Experiment)
    for part, cls in parts.items() if unknown else ():
        for name in _field_names(cls):  # type: ignore[arg-type]  # classes are hashable
            if name in unknown:
                raise ConfigError(f"{path}: unknown key {name!r}; did you mean '{part}.{name}'?")


@cache
def _field_names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _read(path: Path) -> dict[str, object]:
    values = dict(_literals(path, _state(path)))
    base = values.pop("_base_", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise ConfigError(f"{path}: _base_ is {base!r}; expected the path of one config file")
    beside = Path(os.path.normpath(path.parent / base))  # the same for all that have it, so it is read once
    inherited = _literals(beside, _state(beside))
    if "_base_" in inherited:
        raise ConfigError(f"{path}: its _base_ {base} has a _base_ itself; one level is the limit")
    return _merged(inherited, values)


def _merged(base: dict[str, object], values: dict[str, object]) -> dict[str, object]:
    """``values`` over ``base``, dict by dict, as mmengine merges them."""
    out = dict(base)
    for key, value in values.items():
        former = out.get(key)
        out[key] = _merged(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
    return out


def _state(path: Path) -> tuple[int, ...]:
    """Size, inode and time of a file: one that is edited while this process runs has another state and is read anew."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_size, stat.st_ino, stat.st_mtime_ns


@cache
def _literals(path: Path, state: tuple[int, ...]) -> dict[str, object]:
    """{name: value} of the ``name = <literal>`` lines of a file; ``state`` is only the cache's key."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file; the configs are under configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read as a config file ({error})") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{path}: not a config file: {error}") from None
    values: dict[str, object] = {}
    for statement in tree.body:
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):  # a docstring
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    values[name] = _literal(value)
                except ValueError:
                    raise ConfigError(
                        f"{path}, line {statement.lineno}: {name} is no literal; expected a number, text, list or dict"
                    ) from None
            case _:
                raise ConfigError(f"{path}, line {statement.lineno}: expected 'name = literal' and nothing else")
    return values


def _literal(node: ast.expr) -> object:
    """`ast.literal_eval` that also knows ``dict(key=...)``, which mmengine's users write."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            if any(keyword.arg is None for keyword in keywords):
                raise ValueError("** in a dict")
            return {str(keyword.arg): _literal(keyword.value) for keyword in keywords}
        case ast.Dict(keys=keys, values=values):
            return {ast.literal_eval(key): _literal(value) for key, value in zip(keys, values) if key is not None}
        case ast.List(elts=items):
            return [_literal(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_literal(item) for item in items)
        case _:
            return ast.literal_eval(node)
