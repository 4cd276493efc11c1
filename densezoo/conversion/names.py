"""Finds the source whose names a file uses, by trying every family's key tables on the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from densezoo.families import families
from densezoo.families.base import Family
from densezoo.families.naming import Naming
from densezoo.types import Checkpoint, KeyMap

_BOUNDARY = re.compile(r"(.*[./_:])?")  # a wrapper's prefix ends at a separator of names


def candidates(checkpoint: Checkpoint) -> list[Naming]:
    """Every key table that names a layer of the file, with the prefix that the file puts before the table's names.

    Args:
        checkpoint: the file.
    """
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
    anchors = [keys[0] for keys in naming.alternatives(role, "weight", block, layer)]
    prefixes = [name.removesuffix(anchor) for anchor in anchors for name in tensors if name.endswith(anchor)]
    prefixes = [prefix for prefix in prefixes if _BOUNDARY.fullmatch(prefix)]
    return Naming(family, keymap, min(prefixes, key=len), tensors) if prefixes else None
