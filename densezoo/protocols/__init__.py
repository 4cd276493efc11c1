"""The named protocols: how each publisher turns an image file into the tensor that its network gets.

A published accuracy belongs to one of these. Adding a protocol is one entry in one of the modules here and its name in
the tuple at that module's end. Where a publisher leaves a step open, its entry says which, and what is assumed.
"""

from __future__ import annotations

from densezoo.errors import UnknownNameError
from densezoo.protocols import imagenet, ports, small_images
from densezoo.types import Protocol

PROTOCOLS = {protocol.name: protocol for protocol in (*imagenet.PROTOCOLS, *ports.PROTOCOLS, *small_images.PROTOCOLS)}


def get_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Args:
        name: of PROTOCOLS, such as ``torchvision``.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def same_kind(protocol: Protocol) -> list[Protocol]:
    """Every protocol that could replace this one: with as many channels, and resizing only if it does.

    Args:
        protocol: the one to replace.
    """

    def kind(other: Protocol) -> tuple[bool, int]:
        return other.resize is None, len(other.channel_order)

    return [other for other in PROTOCOLS.values() if kind(other) == kind(protocol)]
