"""Which source's names a file uses: every family's key tables, tried on its tensors' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from densezoo.families import families
from densezoo.families.base import Family
from densezoo.families.naming import Naming
from densezoo.types import Checkpoint, KeyMap

_BOUNDARY = re.compile(r"(.*[./_:])?")  # a wrapper's prefix ends where a name can


def candidates(checkpoint: Checkpoint) -> list[Naming]:
    """Every table that names a layer of the file, with the prefix that the file puts before the table's names."""
    facts = checkpoint.metadata.items()
    namings = [
        _naming(family, keymap, checkpoint.tensors)
        for family in families()
        for keymap in family.keymaps
        if keymap.requires.items() <= facts
    ]
    return [naming for naming in namings if naming is not None]


def _naming(family: Family[Any], keymap: KeyMap, tensors: Mapping[str, Tensor]) -> Naming | None:
    role, block, layer = family.anchor
    naming = Naming(family, keymap, "", tensors)
    if "{rank}" in keymap.templates[role][0]:
        ranks = family.ranks(naming)
        return naming.ranked(ranks) if family.anchor in ranks else None
    keys = naming.keys(role, "weight", block, layer)
    assert keys is not None, "every table names the anchor"
    ends = [name for name in tensors if name.endswith(keys[0]) and _BOUNDARY.fullmatch(name.removesuffix(keys[0]))]
    return Naming(family, keymap, min(ends, key=len).removesuffix(keys[0]), tensors) if ends else None
