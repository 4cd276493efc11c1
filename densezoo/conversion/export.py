"""Canonical weights -> files that other systems load themselves, each whole or not there at all."""

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


def extensions(*of: Family[Any]) -> dict[str, tuple[str, ...]]:
    """{extension of a file: the systems for which it can be written} of some families' networks."""
    pairs = [(end, name) for family in of for name, system in family.systems.items() for end in system.extensions]
    return {end: tuple(dict.fromkeys(name for other, name in pairs if other == end)) for end, _ in pairs}


def misfits(to: str, arch: Architecture) -> list[str]:
    """What a system's file can't have of this network; empty where it can hold it.

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
    """Write weights for a system, and read what was written before it takes its place.

    Args:
        path: the file; what is there is replaced.
        to: one of TARGETS.
        arch: the network.
        state_dict: canonical names, float32.
        facts: JSON values that go into the file where its format has room.

    Raises:
        CheckpointError: the system's network can't be this one; the folder can't be written; the file reads back as
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
    """In what a file that was just written holds other weights or another network; empty where it doesn't."""
    read, again, _ = convert(read_checkpoint(path), arch)
    names = [name for name in state_dict if "num_batches" not in name and not state_dict[name].equal(again[name])]
    return ", ".join(names[:4]) or ("" if read.same_function() == arch.same_function() else str(read))
