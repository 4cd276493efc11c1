"""One photograph as networks get it under each protocol, for the page that compares protocols."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

from densezoo.results.pictures import pixels, sample_photograph

PHOTOGRAPH = "china.jpg"  # of scikit-learn's sample images: edges, textures and a sky
CREDIT = "danielbuechele"
SOURCE = "https://www.flickr.com/photos/danielbuechele/6061409035/"
LICENSE = "https://creativecommons.org/licenses/by/2.0/"


@dataclass(frozen=True)
class Shot:
    """The photograph under one protocol.

    Args:
        protocol: its name.
        path: of the picture in the site; protocols that give the same pixels share one.
        side: in pixels.
    """

    protocol: str
    path: str
    side: int


def shots(protocols: Iterable[str]) -> tuple[list[Shot], dict[str, bytes]]:
    """The photograph under several protocols, without loss, and {path: picture} of the files.

    Args:
        protocols: names of those that resize.
    """
    photograph, shots = sample_photograph(PHOTOGRAPH), []
    pictures: dict[str, bytes] = {}
    for name in protocols:
        image = pixels(photograph, name)
        path = f"pictures/{hashlib.sha256(image.tobytes()).hexdigest()[:12]}.webp"
        if path not in pictures:
            buffer = BytesIO()
            image.save(buffer, "WEBP", lossless=True, method=4)
            pictures[path] = buffer.getvalue()
        shots.append(Shot(name, path, image.width))
    return shots, pictures
