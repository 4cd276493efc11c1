"""Which source's names a file uses: every family's key tables, tried on its tensors' names."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from densezoo.families import families
from densezoo.families.base import Family
from densezoo.families.naming import Naming
from densezoo.types import Checkpoint, KeyMap

_BOUNDARY = re.compile(r"(.*[./_:])?")  # a wrapper's prefix ends where a name can

#: (pattern of a name that is no weight of the model, what it is).
_DROPPED = (
    (r"(moments|moment[12]|accum|stat|adam_[mv]|velocity)\..+", "optimiser moment"),
    (r"(.+[./])?(num_batches_tracked|N|n_averaged|steps?|initted)", "counter"),
    (
        r"(global_step|epoch_num|step_num|current_iterator_step|last_overflow_iterator_step|learning_rate|lr|momentum|"
        r"weight_decay|beta[12]_power|loss_scale|scale_sense|growth_(factor|interval|tracker)|best_\w+)",
        "training counter",
    ),
    (r".*seed_generator(_state)?.*", "random state"),
    (r"(.+\.)?(loss|loss_fn|criterion)\.(pos_)?weight", "loss weight"),
)


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
    anchors = [keys[0] for keys in naming.alternatives(role, "weight", block, layer)]
    prefixes = [name.removesuffix(anchor) for anchor in anchors for name in tensors if name.endswith(anchor)]
    prefixes = [prefix for prefix in prefixes if _BOUNDARY.fullmatch(prefix)]
    return Naming(family, keymap, min(prefixes, key=len), tensors) if prefixes else None


def is_counter(tensor: Tensor) -> bool:
    """Whether a tensor is one whole number."""
    return tensor.ndim == 0 and not tensor.is_floating_point() and tensor.dtype != torch.bool


@functools.lru_cache(1 << 14)
def dropped_kind(name: str) -> str | None:
    """What a tensor of this name is that is no weight of the model; None of a name that may be one's."""
    return next((kind for pattern, kind in _DROPPED if re.fullmatch(pattern, name)), None)
