"""Says which of a user's pictures a network sees turned: most publishers' protocols take no notice of EXIF."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, fields

from PIL import ExifTags, Image

from densezoo.data.images import Content, ImageSet, ImagesOfAnotherSet

_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF", b"tiff:Orientation")  # of EXIF in JPEG, PNG and WebP; of XMP
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how a TIFF or BigTIFF begins, made of the same entries


@dataclass(frozen=True)
class SeenAsStored(ImagesOfAnotherSet):
    """Another set under a protocol that doesn't apply the EXIF orientation; the first picture that has one is named."""

    protocol: str

    def read(self, index: int) -> Content:
        content = self.images.read(index)
        if isinstance(content, bytes) and _may_be_turned(content) and (orientation := stored_orientation(content)) > 1:
            warn_of_orientation(self.location_of(index), orientation, self.protocol)
        return content


def seen_as_stored(images: ImageSet, protocol: str) -> SeenAsStored:
    """The images, which name the first one that is seen turned when it is read.

    Args:
        images: the set.
        protocol: the name of one that doesn't apply the EXIF orientation.
    """
    common = {entry.name: getattr(images, entry.name) for entry in fields(ImageSet)}
    return SeenAsStored(**common, images=images, protocol=protocol)


def _may_be_turned(content: bytes) -> bool:
    return content[:4] in _TIFF or any(mark in content for mark in _MARKS)


def stored_orientation(picture: bytes | Image.Image) -> int:
    """The EXIF orientation, 1 to 8: how a picture is turned before it is shown; 1: not at all, or nothing says.

    Args:
        picture: an encoded file, or a Pillow image.
    """
    try:
        opened = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
        return int(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow raises many kinds for a broken file, which is refused where it is decoded
        return 1


_told: set[str] = set()  # protocols


def warn_of_orientation(location: str, orientation: int, protocol: str) -> None:
    """Say once a protocol, in each process that reads pictures, what the network sees of such a one.

    Args:
        location: of the picture.
        orientation: its own, 2 to 8.
        protocol: the name of the one that it is under.
    """
    if protocol in _told:
        return
    _told.add(protocol)
    logging.getLogger("densezoo").warning(
        "warning: %s: is stored turned (EXIF orientation %d), and protocol %s takes pictures as they are stored, as "
        "its publisher does: the network sees it turned; a protocol of your own with exif: true turns pictures upright "
        "(docs/protocols.md)",
        location,
        orientation,
        protocol,
    )
