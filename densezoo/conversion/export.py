"""Canonical weights -> files that other systems load; each is written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from densezoo.conversion.match import convert
from densezoo.errors import CheckpointError
from densezoo.families import families, family_of
from densezoo.families.base import Family
from densezoo.files import replacing
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Architecture

#: The systems for which a network of some family can be written.
TARGETS = tuple(
    dict.fromkeys(name for family in families() for name, system in family.systems.items() if system.write is not None)
)


def extensions(*families_written: Family[Any]) -> dict[str, tuple[str, ...]]:
    """{extension of a file: the systems for which it can be written}.

    Args:
        families_written: the families whose networks are written.
    """
    rows = (row for family in families_written for row in family.systems.items())
    pairs = [(end, name) for name, system in rows for end in system.extensions]
    return {end: tuple(dict.fromkeys(name for other, name in pairs if other == end)) for end, _ in pairs}


def misfits(to: str, arch: Architecture) -> list[str]:
    """The properties of a network that a system's file can't have; empty if it can hold the network.

    Args:
        to: a system of the family's table.
        arch: the network.
    """
    family = family_of(arch)
    system = family.systems.get(to)
    return [f"any {family.title}"] if system is None else system.cannot_store(arch)


def export(
    path: Path, to: str, arch: Architecture, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write weights for a system; the file is read back before it replaces an older one.

    Args:
        path: the file; an existing one is replaced.
        to: one of TARGETS.
        arch: the network.
        state_dict: {canonical name: float32 tensor}.
        facts: JSON values that go into the file if its format has room for them.

    Raises:
        CheckpointError: the system can't express the network; the folder can't be written; the file reads back as
            another network.
        MissingDependencyError: a package that the writer needs is not installed.
    """
    family = family_of(arch)
    system = family.systems.get(to)
    write = system.write if system else None
    if system is None or write is None:
        known = ", ".join(name for name, other in family.systems.items() if other.write)
        raise CheckpointError(f"{path}: densezoo can't write {family.a_title} for {to}; expected one of {known}")
    wrong = system.cannot_store(arch)
    if wrong:
        able = (name for name, other in family.systems.items() if other.write and not other.cannot_store(arch))
        raise CheckpointError(
            f"{path}: {to}'s {family.title} can't have {', '.join(wrong)}; the file would hold another network's "
            f"weights. Write it for {' or '.join(able)}, whose files carry it"
        )
    if not path.parent.is_dir():
        raise CheckpointError(f"{path}: can't be written (there is no folder {path.parent})")
    if os.path.exists(path) and not path.is_file():  # a device would be replaced by a file of its name
        raise CheckpointError(f"{path}: is no regular file; give the name of the file to write")
    with replacing(path, lambda reason: CheckpointError(f"{path}: can't be written ({reason})")) as hidden:
        write(hidden, arch, {name: tensor.detach().contiguous() for name, tensor in state_dict.items()}, facts)
        difference = _difference(hidden, arch, state_dict)
        if difference:
            raise CheckpointError(
                f"{path}: would read back as another network ({difference}); not written. Report this"
            )


def _difference(path: Path, arch: Architecture, state_dict: Mapping[str, Tensor]) -> str:
    """The weights in which a written file differs, or its architecture if that differs; empty if nothing does."""
    arch_read, weights_read, _ = convert(read_checkpoint(path), arch)
    names = [
        name for name in state_dict if "num_batches" not in name and not state_dict[name].equal(weights_read[name])
    ]
    return ", ".join(names[:4]) or ("" if arch_read.same_function() == arch.same_function() else str(arch_read))
