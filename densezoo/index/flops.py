"""What a model costs at the image size of a protocol: an accuracy at 288 px is not had for the FLOPs of 224 px."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from densezoo.families import family_of
from densezoo.families.flops import CONVENTIONS, count_operations, flops
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.own import MARK
from densezoo.types import Architecture, ModelSpec


def flops_under(spec: ModelSpec, protocol: str | None) -> tuple[int | None, Mapping[str, int]]:
    """The side in pixels of a protocol's crops, and {convention: FLOPs of one of them}, the index's first.

    At the size that the index states FLOPs for they are those; at another size the conventions that have a definition
    are counted on the network's computation.

    Args:
        protocol: a name of `densezoo.protocols`; one without a crop leaves images at the size that the index states.
    """
    crop = get_protocol(protocol).crop if protocol and (protocol in PROTOCOLS or MARK in protocol) else None
    if crop in (None, spec.image_size):
        return spec.image_size, spec.flops
    operations = _operations(spec.architecture, crop)
    return crop, {name: flops(operations, name) for name in spec.flops if name in CONVENTIONS}


@cache
def _operations(arch: Architecture, image_size: int) -> Mapping[str, int]:
    return count_operations(family_of(arch).computation(arch), image_size)
