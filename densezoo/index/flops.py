"""What a model costs at the image size of a protocol: an accuracy at 288 px is not had for the FLOPs of 224 px."""

from __future__ import annotations

from collections.abc import Mapping

from densezoo.families.claims import operations
from densezoo.families.flops import CONVENTIONS, flops
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.own import MARK
from densezoo.types import ModelSpec


def flops_under(spec: ModelSpec, protocol: str | None) -> tuple[int | None, Mapping[str, int]]:
    """The side in pixels of a protocol's crops, and {convention: FLOPs of one of them}, the index's first.

    At the size that the index states FLOPs for they are those; at another size the conventions that have a definition
    are counted on the network's computation.

    Args:
        protocol: a name of `densezoo.protocols`; one without a crop, or that of a model whose own protocol nobody
            knows, leaves images at the size that the index states.
    """
    crop = get_protocol(protocol).crop if protocol and (protocol in PROTOCOLS or MARK in protocol) else None
    if crop in (None, spec.image_size) or spec.not_evaluable is not None:
        return spec.image_size, spec.flops
    counts = operations(spec.architecture, crop)
    return crop, {name: flops(counts, name) for name in spec.flops if name in CONVENTIONS}
