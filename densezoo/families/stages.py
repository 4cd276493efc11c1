"""The stages of a network: its layers in groups, by which a training freezes them and sets their learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from densezoo.families import family_of
from densezoo.types import Architecture, Layer

#: {first word of a role: the stage's name}; of other roles the word itself.
_NAMES = {"layer": "block", "final": "head"}
_ALONE = ("final", "classifier")  # first words of roles whose stage has no number


def layers_by_stage(arch: Architecture) -> Mapping[str, Sequence[Layer]]:
    """{stage: its layers} in the order in which the input passes them.

    The stages are ``stem``, ``block1``, ``transition1``, ``block2``, ..., ``head`` (the last norm) and ``classifier``.

    Args:
        arch: of the network, of any family.
    """
    blocks: dict[str, list[int]] = {}
    stages: dict[str, list[Layer]] = {}
    for layer in family_of(arch).layers(arch):
        word = layer.role.partition(".")[0]
        name = _NAMES.get(word, word)
        if layer.block and word not in _ALONE:
            seen = blocks.setdefault(word, [])
            if layer.block not in seen:
                seen.append(layer.block)
            name += str(seen.index(layer.block) + 1)
        stages.setdefault(name, []).append(layer)
    return stages
