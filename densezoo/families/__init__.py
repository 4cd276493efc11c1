"""The families of networks. Each has a folder here with all that is particular to it, and a name in FAMILIES."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from densezoo import schema
from densezoo.errors import ConfigError, DensezooError, UnknownNameError, suggestion
from densezoo.families.base import Family
from densezoo.types import Architecture

if TYPE_CHECKING:
    from torch import nn

A = TypeVar("A", bound=Architecture)

#: Names of folders; the first one is the family of configs and files that name none.
FAMILIES = ["densenet", "rdnet"]


def get_family(name: str) -> Family[Any]:
    """The family of that name.

    Args:
        name: one of FAMILIES.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in FAMILIES:
        raise UnknownNameError("family", name, FAMILIES)
    family: Family[Any] = importlib.import_module(f"densezoo.families.{name}").FAMILY
    return family


def families() -> list[Family[Any]]:
    """Every family."""
    return [get_family(name) for name in FAMILIES]


def family_of(arch: A) -> Family[A]:
    """The family of an architecture.

    Args:
        arch: the architecture.
    """
    return get_family(arch.family)


def architecture_values(arch: Architecture) -> dict[str, object]:
    """The JSON values of an architecture, from which `build_architecture` makes it again.

    Those of the first family have no ``family``: files were written before there was another one.

    Args:
        arch: the architecture.
    """
    family = {} if arch.family == FAMILIES[0] else {"family": arch.family}
    return {**family, **dataclasses.asdict(arch)}


def with_defaults(values: Mapping[str, object]) -> dict[str, object]:
    """The JSON values of an architecture, completed with the defaults of the fields that were added since.

    Args:
        values: of `architecture_values`, of this densezoo or an older one.
    """
    family = str(values.get("family", FAMILIES[0]))
    fields = dataclasses.fields(get_family(family).architecture) if family in FAMILIES else ()
    defaults = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    completed: dict[str, object] = json.loads(json.dumps({**defaults, **values}))
    return completed


def build_architecture(values: object, error_prefix: str, error: type[DensezooError] = ConfigError) -> Architecture:
    """An architecture from a mapping of its fields; ``family`` may be absent for the first family.

    Args:
        values: the mapping, from a config or a file.
        error_prefix: file and field, for messages.
        error: the class of the error that is raised.

    Raises:
        error: there is no such family; an unknown field or a value of a wrong type or out of its range.
    """
    fields = dict(values) if isinstance(values, Mapping) else values
    name = fields.pop("family", FAMILIES[0]) if isinstance(fields, dict) else FAMILIES[0]
    if name not in FAMILIES:
        raise error(f"{error_prefix}: there is no family {name!r}{suggestion(str(name), FAMILIES)}")
    architecture: type[Architecture] = get_family(name).architecture
    return schema.build(architecture, fields, error_prefix, error)


def build_model(arch: Architecture, builder: str = "densezoo") -> nn.Module:
    """A network with fresh weights: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes).

    Args:
        arch: the network's architecture.
        builder: the system whose code builds it; with the same weights all compute the same function.

    Raises:
        UnknownNameError: no system of that name builds networks of this family.
        ConfigError: that system can't express the architecture; names the fields.
    """
    builders = {name: system for name, system in family_of(arch).systems.items() if system.build is not None}
    if builder not in builders:
        raise UnknownNameError("builder", builder, builders)
    refused = builders[builder].cannot_build(arch)
    if refused:
        raise ConfigError(f"builder {builder!r} can't express {', '.join(refused)}; use builder 'densezoo'")
    build = builders[builder].build
    assert build is not None
    return build(arch)
