"""A Torch7 file -> the `Checkpoint` of the one network in it: its layers in their order, and the tensors they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from densezoo.errors import CheckpointError
from densezoo.formats.binary import Bytes
from densezoo.formats.torch7.layers import Dense, Layer
from densezoo.formats.torch7.modules import CONTAINERS, Lowering
from densezoo.formats.torch7.objects import Module, Table, Tensor, Torch7File, Value, describe, open_torch7
from densezoo.types import Checkpoint

#: {field under which a tensor stands that is no weight: what it is}; a weight's own name is a copy of it.
DROPPED = {
    "gradWeight": "gradients",
    "gradBias": "gradients",
    "saved_bn_running_mean": "running copies",
    "saved_bn_running_var": "running copies",
} | dict.fromkeys(("weight", "bias", "running_mean", "running_var", "running_std"), "copies of weights")


def read_torch7(data: Bytes) -> Checkpoint:
    """The network of a ``.t7`` file, alone or in a table; ``modules`` holds its layers.

    Raises:
        FormatError: broken, truncated or hostile.
        CheckpointError: no network, several, or modules that no row of layers can stand for.
    """
    file = open_torch7(data)
    layers = tuple(Lowering(file).layers(_find_network(file)))
    taken = list(tensors_of(layers))
    with np.errstate(all="ignore"):  # NaN and infinity are for conversion to refuse
        tensors = {tensor.name: torch.from_numpy(file.array(tensor)) for tensor in taken}
    dropped = _dropped(file, set(taken))
    return Checkpoint(str(data.path), "torch7", tensors, dropped, source="torch7", modules=layers)


def tensors_of(layers: Iterable[Layer]) -> Iterator[Tensor]:
    """The tensors that layers take, in their order; one that several layers take comes several times."""
    for layer in layers:
        if isinstance(layer, Dense):
            yield from tensors_of(layer.layers)
        else:
            yield from (value for value in vars(layer).values() if isinstance(value, Tensor))


def _find_network(file: Torch7File) -> Module:
    """The one container in the file's tables that isn't part of another one; an entry "model" is preferred."""
    networks: dict[Module, Value] = {}
    todo: list[tuple[Value, Value]] = [(None, file.root)]
    seen: set[Value] = set()
    while todo:
        key, value = todo.pop()
        if isinstance(value, Module) and value.class_name in CONTAINERS:
            networks[value] = key
        elif isinstance(value, Table) and value not in seen:
            seen.add(value)
            todo += value.items.items()
    named = [module for module, key in networks.items() if key == "model"]
    if len(networks) != 1 and len(named) != 1:
        what = ", ".join(sorted(f"{key!r}: {describe(module)}" for module, key in networks.items())[:5])
        raise CheckpointError(
            f"{file.path}: expected one network ({', '.join(CONTAINERS)}), or one under the key 'model'; "
            f"found {what or describe(file.root)}"
        )
    return named[0] if len(named) == 1 else next(iter(networks))


def _dropped(file: Torch7File, taken: set[Tensor]) -> dict[str, int]:
    """{kind: how many} of the tensors with elements that the network's layers don't take; each counts once."""
    counted = set(taken)
    kinds: Counter[str] = Counter()
    for table in (value for value in file.objects if isinstance(value, Table)):
        for key, value in table.items.items():
            if isinstance(value, Tensor) and value.size and value not in counted:
                counted.add(value)
                kinds[DROPPED.get(str(key), "other tensors")] += 1
    return dict(kinds)
