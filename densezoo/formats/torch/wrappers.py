"""What a library for training puts around a network, and so into its state_dict: taken off, and said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

#: https://github.com/MadryLab/robustness robustness/attacker.py AttackerModel: a network that normalises images itself,
#: and an attacker with the same network and normaliser once more.
_COPY = re.compile(r"(.*\.)?attacker\.(model|normalize)\.(.+)")
_NORMALISER = re.compile(r"(.*\.)?normalizer\.new_(mean|std)")


@dataclass(frozen=True)
class Unwrapped:
    """A network's tensors without what is around it.

    Args:
        tensors: {name: tensor} of the network.
        dropped: {kind of thing that is no weight of the network: how many}.
        hints: what it did to images, in words.
    """

    tensors: Mapping[str, Tensor]
    dropped: Mapping[str, int] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


def unwrap(tensors: Mapping[str, Tensor]) -> Unwrapped:
    """The tensors without the ``robustness`` library's attacker and normaliser; all of them where there is none.

    A copy that differs from what it is one of stays, so that a table has no place for it.
    """
    normalisers = {match[2]: name for name in tensors if (match := _NORMALISER.fullmatch(name))}
    if normalisers.keys() != {"mean", "std"}:
        return Unwrapped(tensors)
    copies = [name for name in tensors if _is_copy(tensors, name)]
    left = {name: tensor for name, tensor in tensors.items() if name not in {*copies, *normalisers.values()}}
    mean, std = (
        ", ".join(f"{value:.4f}" for value in tensors[normalisers[what]].flatten()[:4].tolist())
        for what in ("mean", "std")
    )
    hint = f"the file's network normalises images (0..1) itself, by mean {mean} and std {std}; here the protocol does"
    return Unwrapped(left, {"attacker's copy": len(copies), "normaliser": len(normalisers)}, (hint,))


def _is_copy(tensors: Mapping[str, Tensor], name: str) -> bool:
    """Whether a tensor of the attacker's is the network's or the normaliser's once more."""
    match = _COPY.fullmatch(name)
    if match is None:
        return False
    whole = "model" if match[2] == "model" else "normalizer"
    original = tensors.get(f"{match[1] or ''}{whole}.{match[3]}")
    if original is None or original.shape != tensors[name].shape:
        return False
    return original.is_meta or torch.equal(original, tensors[name])
