"""A faster decoder of JPEG files, used only for kinds for which it gave the pixels of the protocol's own decoder.

simplejpeg and Pillow or OpenCV give the same pixels where their builds of libjpeg-turbo agree, which depends on
versions and on the kind of the file. So each kind is compared when it is first met, on images that have colours, and
later again (`densezoo.data.equality`). Everything but a whole, plain JPEG (CMYK, 12 bits, several pictures, truncated,
under protocols that turn images one with EXIF) is left to the protocol's own decoder, as is what simplejpeg warns of.

Measured on 109 photographs (Zen 4, one thread, from file to resized crop): Pillow 4.6 ms, simplejpeg 4.4; OpenCV's and
torchvision's decoders take as long as Pillow's.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from densezoo.data.decoding import Decoded, check_area
from densezoo.data.equality import VARIED, Comparisons
from densezoo.data.images import Content
from densezoo.types import Protocol

Pixels: TypeAlias = NDArray[np.uint8]

PACKAGE = "simplejpeg"

_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_SKIPPED = {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # tables, restart interval, comment, applications' segments


class Kind(NamedTuple):
    """What decides by which of libjpeg's ways a JPEG is decoded.

    Args:
        frame: "baseline", "extended" or "progressive".
        components: (id, horizontal and vertical sampling in one byte) of each.
        jfif: whether it has JFIF's marker, which fixes the colours.
        adobe: the colour transform of Adobe's marker; None: it has none.
    """

    frame: str
    components: tuple[tuple[int, int], ...]
    jfif: bool
    adobe: int | None


def plain_kind(data: bytes) -> tuple[Kind, tuple[int, int]] | None:
    """The kind and (width, height) of a whole JPEG of 8 bits with one picture of one or three components; else None.

    Args:
        data: an encoded file of any format.
    """
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        return None
    position, jfif, adobe = 2, False, None
    while position + 19 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position + 4 : position + 2 + length]
        if marker in _FRAMES and len(segment) in (9, 15) and len(segment) == 6 + 3 * segment[5] and segment[0] == 8:
            height, width = (int.from_bytes(segment[i : i + 2], "big") for i in (1, 3))
            components = tuple((segment[i], segment[i + 1]) for i in range(6, len(segment), 3))
            return Kind(_FRAMES[marker], components, jfif, adobe), (width, height)
        if marker not in _SKIPPED or (marker == 0xE2 and segment.startswith(b"MPF\0")):
            return None
        jfif |= marker == 0xE0 and segment.startswith(b"JFIF\0")
        if marker == 0xEE and segment.startswith(b"Adobe") and len(segment) >= 12:
            adobe = segment[11]
        position += 2 + length
    return None


class EqualDecoder:
    """simplejpeg for the kinds of files for which it is equal to the protocol's own decoder, else that one."""

    def __init__(self) -> None:
        self.seen: Comparisons[tuple[str, Kind]] = Comparisons(PACKAGE)

    @staticmethod
    def is_installed() -> bool:
        """Whether there is simplejpeg."""
        return importlib.util.find_spec(PACKAGE) is not None

    def decode(self, data: Content, protocol: Protocol, location: str, own: Callable[[], Decoded]) -> Decoded:
        """The pixels as the protocol's own decoder gives them.

        Args:
            data: an encoded file, or pixels, which ``own`` takes.
            protocol: how it is decoded.
            location: of the image, for messages.
            own: decodes it by the protocol's decoder.

        Raises:
            ImageError: from ``own``.
            DatasetError: simplejpeg isn't equal after all.
        """
        if not isinstance(data, bytes) or (key := self._key(data, protocol)) is None:
            return own()
        if (pixels := _simplejpeg(data)) is None or self.seen.trusts(key):
            return own() if pixels is None else pixels
        expected = own()
        telling = _is_telling(pixels, len(key[1].components))
        self.seen.compared(key, np.array_equal(np.asarray(expected), pixels), telling, location)
        return expected

    def _key(self, data: bytes, protocol: Protocol) -> tuple[str, Kind] | None:
        """What the file's pixels depend on; None: it is left to the protocol's own decoder."""
        if protocol.channel_order == "L" or (protocol.exif and b"Exif\0" in data):
            return None
        kind_and_size = plain_kind(data)
        if kind_and_size is None or (protocol.decoder, kind_and_size[0]) in self.seen.different:
            return None
        try:
            check_area(kind_and_size[1], protocol)
        except ValueError:
            return None
        return protocol.decoder, kind_and_size[0]


def _simplejpeg(data: bytes) -> Pixels | None:
    """The pixels (H, W, 3); None: it can't decode the file without a warning."""
    import simplejpeg

    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False, strict=True)
    except (ValueError, MemoryError):
        return None
    return pixels


def _is_telling(pixels: Pixels, components: int) -> bool:
    """Whether equal pixels say something of the decoder: a grey image in three components says little of colours."""
    light = pixels[..., 1].astype(np.int16)
    varied = min(light.shape) >= VARIED and int(np.ptp(light)) >= VARIED
    return varied and (components == 1 or all(int(np.ptp(pixels[..., i] - light)) >= VARIED for i in (0, 2)))
