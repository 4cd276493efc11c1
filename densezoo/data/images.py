"""A labelled set of images, wherever it lies: what every layout gives, and loading, hashing and evaluation take."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Content: TypeAlias = "bytes | NDArray[np.uint8]"  # an encoded file, or pixels (H, W, 3) or (H, W)


Listed: TypeAlias = "Mapping[str, tuple[int, ...]]"  # {archive: its `stat_signature` when it was listed}


def stat_signature(path: str | Path) -> tuple[int, ...]:
    """Size, inode and times of a file: as long as they stay, it is taken for the same.

    Raises:
        OSError: it is not there.
    """
    stat = os.stat(path)
    return stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def digest_of(content: Content) -> bytes:
    """The sha256 (32 bytes) of an encoded file, or of pixels and their shape."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    return hashlib.sha256(f"{content.shape}".encode() + content.tobytes()).digest()


@dataclass(frozen=True)
class ImageSet(ABC):
    """Images with ids and labels; `read` gives one, encoded or as pixels.

    Args:
        location: file or folder, for messages.
        ids: one an image, unique, the same wherever the set lies.
        labels: class indices.
        label_sets: several right answers an image, where a dataset has them; ``labels`` holds the first of each.
        classes: the only classes that compete for an image, ascending; None: all of the network's.
        subset: which of a dataset's several sets this is ("gaussian_noise/3"); None: the dataset is one set.
    """

    location: str
    ids: Sequence[str]
    labels: Sequence[int]
    label_sets: Sequence[tuple[int, ...]] | None = field(default=None, kw_only=True)
    classes: tuple[int, ...] | None = field(default=None, kw_only=True)
    subset: str | None = field(default=None, kw_only=True)

    @abstractmethod
    def read(self, index: int) -> Content:
        """The encoded file, or pixels.

        Raises:
            ImageError: it can't be read; names the file.
        """

    @property
    def archives(self) -> Listed:
        """The archives that labels and images were listed from, as they were then."""
        return {}

    @property
    def random_access(self) -> bool:
        """Whether single images can be read in any order, by several threads, at no further cost."""
        return True

    def source(self, index: int) -> tuple[object, ...]:
        """The file that an image is read from, and where in it; empty where the images are in memory."""
        return ()

    def digest(self, index: int) -> bytes:
        """The sha256 (32 bytes) of what `read` gives."""
        return digest_of(self.read(index))

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, index: int) -> str:
        """The image's place, for messages."""
        return f"{self.location}: {self.ids[index]}"

    def fingerprint(self) -> str:
        """sha256 over ids, labels and contents: a folder, a tar and a list of the same images have the same."""
        digest = hashlib.sha256(self.listing().encode())
        for index in range(len(self)):
            digest.update(self.digest(index))
        return digest.hexdigest()

    def listing(self) -> str:
        """sha256 over ids and labels alone."""
        digest = hashlib.sha256()
        for name, label in zip(self.ids, self.label_sets or self.labels):
            digest.update(f"{name}\0{label}\0".encode(errors="surrogateescape"))
        return digest.hexdigest()


@dataclass(frozen=True)
class ArrayImages(ImageSet):
    """Decoded pixels in memory: uint8 (N, H, W, 3) or (N, H, W)."""

    pixels: NDArray[np.uint8]

    def read(self, index: int) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self.pixels[index]
        return image


@dataclass(frozen=True)
class ImagesOfAnotherSet(ImageSet):
    """Images that are read from another set, ``images``: each from where `position` says that it stands there."""

    images: ImageSet

    def position(self, index: int) -> int:
        """Where an image stands in the other set: at the same place."""
        return index

    @property
    def archives(self) -> Listed:
        return self.images.archives

    @property
    def random_access(self) -> bool:
        return self.images.random_access

    def read(self, index: int) -> Content:
        return self.images.read(self.position(index))

    def where(self, index: int) -> str:
        return self.images.where(self.position(index))

    def source(self, index: int) -> tuple[object, ...]:
        return self.images.source(self.position(index))


@dataclass(frozen=True)
class ChosenImages(ImagesOfAnotherSet):
    """Some images of another set, with labels of their own: ``positions`` are places in ``images``."""

    positions: Sequence[int]

    def position(self, index: int) -> int:
        return self.positions[index]
