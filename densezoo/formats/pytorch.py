"""``torch.save`` files, zip and legacy pickle, never executed: ``torch.load(weights_only=True)``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.types import Checkpoint

#: Entries that hold the weights in the wrappers seen in the field, best first: timm evaluates the averaged weights.
STATE_DICT_ENTRIES = ("state_dict_ema", "state_dict", "model_state_dict", "model_state", "model", "net")
#: Harmless classes that training scripts store beside the weights; their instances become attribute bags.
INERT_CLASSES: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [argparse.Namespace]  # timm's train.py: args

#: How torch names what it won't run (torch/_weights_only_unpickler.py).
_REFUSED_CLASS = re.compile(r"(?:[Uu]nsupported (?:global: )?GLOBAL|Unsupported class) ([\w.]+)")


def read_pytorch(path: Path) -> Checkpoint:
    """The state_dict of a ``torch.save`` file, alone or in a training script's wrapper.

    Raises:
        FormatError: broken or truncated; a pickled object, which only running code could restore; no tensors.
    """
    content = _load(path)
    if _is_state_dict(content):
        return Checkpoint(path=str(path), format="pytorch", tensors=dict(content))
    wrapper: Mapping[object, object] = content if isinstance(content, Mapping) else {}
    for entry in STATE_DICT_ENTRIES:
        tensors = wrapper.get(entry)
        if _is_state_dict(tensors):
            beside = {str(name): _count_tensors(value) for name, value in wrapper.items() if name != entry}
            dropped = {name: count for name, count in beside.items() if count}
            return Checkpoint(str(path), "pytorch", dict(tensors), dropped, metadata={"entry": entry})
    found = f"the entries {', '.join(map(str, list(wrapper)[:8]))}" if wrapper else f"a {type(content).__name__}"
    raise FormatError(
        f"{path}: expected a state_dict, alone or as one of {', '.join(STATE_DICT_ENTRIES)}; found {found}"
    )


def _load(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(INERT_CLASSES):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken pickle or zip makes torch raise
        refused = _REFUSED_CLASS.search(str(error))
        if refused:
            raise FormatError(
                f"{path}: holds a pickled {refused[1]}, which only running its code could restore; ask for the "
                "state_dict: torch.save(model.state_dict(), ...)"
            ) from error
        reason = str(error).rpartition("WeightsUnpickler error: ")[2].partition("\n")[0][:200] or type(error).__name__
        raise FormatError(
            f"{path}: a PyTorch file by its first bytes, but broken or truncated at its {path.stat().st_size:,} bytes "
            f"({reason}); fetch it anew"
        ) from error


def _is_state_dict(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    """Whether this is {name: tensor} and nothing else (torch's own ``_metadata`` is an attribute, not an entry)."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(item, Tensor) for name, item in value.items())
    )


def _count_tensors(value: object) -> int:
    """Tensors in nested mappings and sequences; a loop, for a file may nest deeper than Python recurses."""
    count, todo, seen = 0, [value], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            count += 1
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
    return count
