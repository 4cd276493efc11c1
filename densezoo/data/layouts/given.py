"""Images that a user names one by one, without labels: files, folders, tars, patterns, URLs, bytes, pixels."""

from __future__ import annotations

import glob
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from densezoo.data.images import Content, ImageSet
from densezoo.data.labels import IMAGE_ENDINGS, image_files
from densezoo.data.layouts.folder import list_tar
from densezoo.errors import DatasetError, ImageError

STANDARD_INPUT = "-"
TIMEOUT = 30.0  # seconds for which a server may be silent
MOST = 1 << 28  # bytes of an image that a server sends


@dataclass(frozen=True)
class Member:
    """A file in an uncompressed tar: ``size`` bytes from ``offset``."""

    tar: Path
    offset: int
    size: int


@dataclass(frozen=True)
class Url:
    """An image that a server has."""

    address: str


#: Where an image comes from: a file, a tar's member, a server, its encoded bytes, its pixels (H, W, 3) or (H, W).
Source: TypeAlias = "Path | Member | Url | bytes | NDArray[np.uint8]"


@dataclass(frozen=True)
class GivenImages(ImageSet):
    """Images without labels (each is 0), in the order in which they were given.

    Args:
        sources: where each comes from.
    """

    sources: Sequence[Source]

    def read(self, index: int) -> Content:
        source = self.sources[index]
        if isinstance(source, Url):
            return _downloaded(source.address)
        if isinstance(source, (bytes, np.ndarray)):
            return source
        path, start, size = (source.tar, source.offset, source.size) if isinstance(source, Member) else (source, 0, -1)
        try:
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise ImageError(f"{self.ids[index]}: can't be read ({error.strerror})") from None

    def location_of(self, index: int) -> str:
        return self.ids[index] if self.ids[index] != STANDARD_INPUT else "standard input"


def given_images(sources: Sequence[tuple[str, Source]]) -> GivenImages:
    """Images as a set.

    Args:
        sources: (what predictions call an image, where it comes from).
    """
    names = [name for name, _ in sources]
    return GivenImages("the given images", names, [0] * len(names), [source for _, source in sources])


def named_images(names: Sequence[str | Path], standard_input: bytes = b"") -> GivenImages:
    """The images that a user names, in that order; those of a folder, tar or pattern sorted, and each file once.

    Args:
        names: of files, folders (searched to the bottom), uncompressed tars, shell patterns with ``**``, URLs; or "-".
        standard_input: what "-" stands for, an encoded image.

    Raises:
        DatasetError: there is no such file; a folder, tar or pattern has no image.
    """
    sources: dict[str, Source] = {}
    for name in map(str, names):
        sources |= _found(name, standard_input)
    return given_images(list(sources.items()))


def _found(name: str, standard_input: bytes) -> dict[str, Source]:
    """{what an image is called: where it comes from} of one name."""
    if name == STANDARD_INPUT:
        return {name: standard_input}
    if name.startswith(("http://", "https://")):
        return {name: Url(name)}
    path = Path(name).expanduser()
    if path.is_dir():
        files = [os.path.join(folder, file) for folder, _, files in os.walk(path, followlinks=True) for file in files]
        return _nonempty({file: Path(file) for file in sorted(_images(files))}, name)
    if path.exists():
        return _members(path) if path.suffix == ".tar" else {name: path}
    if glob.has_magic(name):
        files = glob.glob(str(path), recursive=True)
        return _nonempty({file: Path(file) for file in sorted(_images(files))}, name)
    raise DatasetError(f"{name}: there is no such image, folder or tar")


def _images(files: Sequence[str]) -> list[str]:
    return [files[position] for position, _ in image_files(files)]


def _members(path: Path) -> dict[str, Source]:
    members = {member.name: member for member in list_tar(path).members}
    chosen = {name: members[name] for name in sorted(_images(list(members)))}
    sources: dict[str, Source] = {
        f"{path}/{name}": Member(path, member.offset_data, member.size) for name, member in chosen.items()
    }
    return _nonempty(sources, str(path))


def _nonempty(sources: dict[str, Source], name: str) -> dict[str, Source]:
    if not sources:
        raise DatasetError(f"{name}: no images found; expected files that end in {', '.join(IMAGE_ENDINGS)}")
    return sources


def _downloaded(address: str) -> bytes:
    """What a server sends.

    Raises:
        ImageError: nothing, an error, or more than MOST bytes.
    """
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "densezoo"})  # noqa: S310  http or https
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            content: bytes = response.read(MOST + 1)
    except (OSError, ValueError) as error:  # URLError is an OSError
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ImageError(f"{address}: can't be fetched ({reason}); check the address and the network") from None
    if len(content) > MOST:
        raise ImageError(f"{address}: is larger than {MOST:,} bytes; fetch it yourself, then give the file")
    return content
