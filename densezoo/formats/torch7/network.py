"""A Torch7 file -> the `Checkpoint` of its only network: the layers in their order, and the tensors of the layers."""

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

#: {field of a tensor that no layer uses: what the tensor is}.
DROPPED = {
    "gradWeight": "gradients",
    "gradBias": "gradients",
    "saved_bn_running_mean": "running copies",
    "saved_bn_running_var": "running copies",
} | dict.fromkeys(("weight", "bias", "running_mean", "running_var", "running_std"), "copies of weights")


def read_torch7(data: Bytes) -> Checkpoint:
    """The network of a ``.t7`` file, alone or in a table; the checkpoint's ``modules`` are its layers.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken, truncated or hostile.
        CheckpointError: no network, several, or modules that can't be written as a sequence of layers.
    """
    file = open_torch7(data)
    layers = tuple(Lowering(file).layers(_find_network(file)))
    weights = list(tensors_of(layers))
    with np.errstate(all="ignore"):  # conversion refuses NaN and infinity
        tensors = {tensor.name: torch.from_numpy(file.array(tensor)) for tensor in weights}
    dropped = _dropped(file, set(weights))
    return Checkpoint(str(data.path), "torch7", tensors, dropped, source="torch7", modules=layers)


def tensors_of(layers: Iterable[Layer]) -> Iterator[Tensor]:
    """The tensors of layers, in their order; a tensor of several layers comes several times.

    Args:
        layers: the layers, dense layers among them.
    """
    for layer in layers:
        if isinstance(layer, Dense):
            yield from tensors_of(layer.layers)
        else:
            yield from (value for value in vars(layer).values() if isinstance(value, Tensor))


def _find_network(file: Torch7File) -> Module:
    """The only container in the file's tables that isn't part of another one; an entry "model" is preferred."""
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
        entries = ", ".join(sorted(f"{key!r}: {describe(module)}" for module, key in networks.items())[:5])
        raise CheckpointError(
            f"{file.path}: expected one network ({', '.join(CONTAINERS)}), or one under the key 'model'; "
            f"found {entries or describe(file.root)}"
        )
    return named[0] if len(named) == 1 else next(iter(networks))


def _dropped(file: Torch7File, weights: set[Tensor]) -> dict[str, int]:
    """{kind: number} of the tensors with elements that are no weights of the layers; each counts once."""
    counted = set(weights)
    kinds: Counter[str] = Counter()
    for table in (value for value in file.objects if isinstance(value, Table)):
        for key, value in table.items.items():
            if isinstance(value, Tensor) and value.size and value not in counted:
                counted.add(value)
                kinds[DROPPED.get(str(key), "other tensors")] += 1
    return dict(kinds)
