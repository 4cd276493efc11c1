"""The named protocols: how each publisher turns an image file into the tensor that its network gets.

A published accuracy belongs to one of these. Adding a protocol is one entry in one of the modules here and its name in
the tuple at that module's end. Where a publisher leaves a step open, its entry says which, and what is assumed.
"""

from __future__ import annotations

import dataclasses

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols import imagenet, ports, small_images
from densezoo.protocols.own import find_own
from densezoo.types import Protocol

PROTOCOLS = {protocol.name: protocol for protocol in (*imagenet.PROTOCOLS, *ports.PROTOCOLS, *small_images.PROTOCOLS)}


GPU_SUFFIX = "-nvjpeg"


def get_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Args:
        name: of PROTOCOLS, such as ``torchvision``; with GPU_SUFFIX after it, the same with images that a GPU decodes
            and resizes, whose pixels are near those of the protocol and not equal to them; or a YAML file of one's own.

    Raises:
        UnknownNameError: there is none; names the nearest.
        ConfigError: the protocol's library is one that a GPU can't stand in for.
    """
    if name.endswith(GPU_SUFFIX):
        return _on_gpu(get_protocol(name.removesuffix(GPU_SUFFIX)))
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    own = find_own(name)
    if own is None:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return own


def _on_gpu(protocol: Protocol) -> Protocol:
    steps = (protocol.decoder, protocol.resize_backend, protocol.exif, len(protocol.channel_order))
    if steps != ("pil", "pil", False, 3) or protocol.long_side == "cut" or None in (protocol.resize, protocol.crop):
        raise ConfigError(
            f"protocol {protocol.name}{GPU_SUFFIX}: a GPU can stand in for Pillow, where it decodes, resizes and "
            f"crops three channels without EXIF; {protocol.name} does other things"
        )
    source = f"{protocol.name}, decoded by nvJPEG and resized by PyTorch: not its pixels to the bit"
    name = protocol.name + GPU_SUFFIX
    return dataclasses.replace(protocol, name=name, source=source, decoder="nvjpeg", resize_backend="torch")


def same_kind(protocol: Protocol) -> list[Protocol]:
    """Every protocol that could replace this one: with as many channels, and resizing only if it does.

    Args:
        protocol: the one to replace.
    """

    def kind(other: Protocol) -> tuple[bool, int]:
        return other.resize is None, len(other.channel_order)

    return [other for other in PROTOCOLS.values() if kind(other) == kind(protocol)]
