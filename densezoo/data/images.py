"""`ImageSet`, a labelled set of images in any layout, which loading, hashing and evaluation use."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Content: TypeAlias = "bytes | NDArray[np.uint8]"  # an encoded file, or pixels (H, W, 3) or (H, W)


Listed: TypeAlias = "Mapping[str, tuple[int, ...]]"  # {archive: its `stat_signature` when it was listed}


def stat_signature(path: str | Path) -> tuple[int, ...]:
    """Size, inode and times of a file; while they stay the same, the file counts as unchanged.

    Args:
        path: the file.

    Raises:
        OSError: there is no such file.
    """
    stat = os.stat(path)
    return stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def digest_of(content: Content) -> bytes:
    """The sha256 (32 bytes) of an encoded file, or of pixels and their shape.

    Args:
        content: the file or the pixels.
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    return hashlib.sha256(f"{content.shape}".encode() + content.tobytes()).digest()


@dataclass(frozen=True)
class ImageSet(ABC):
    """Images with ids and labels; `read` returns one, encoded or as pixels.

    Args:
        location: file or folder of the set, for messages.
        ids: of the images, unique; the same in every copy and layout of the set.
        labels: class indices.
        label_sets: the right answers of each image, if a dataset has several; ``labels`` has the first of each.
        classes: the only classes that count as answers, ascending; None: all of the network's.
        subset: which of a dataset's several sets this is ("gaussian_noise/3"); None: the dataset is one set.
        sampled_from: number of images of the set that these were sampled from; None: they are a whole set.
    """

    location: str
    ids: Sequence[str]
    labels: Sequence[int]
    label_sets: Sequence[tuple[int, ...]] | None = field(default=None, kw_only=True)
    classes: tuple[int, ...] | None = field(default=None, kw_only=True)
    subset: str | None = field(default=None, kw_only=True)
    sampled_from: int | None = field(default=None, kw_only=True)

    @abstractmethod
    def read(self, index: int) -> Content:
        """An image: the encoded file, or pixels.

        Args:
            index: of the image.

        Raises:
            ImageError: it can't be read; names the file.
        """

    @property
    def archives(self) -> Listed:
        """The archives from which the images were listed, with their state at that time."""
        return {}

    @property
    def random_access(self) -> bool:
        """Whether reading images in any order, or by several threads, costs no more than reading them in order."""
        return True

    def group_of(self, index: int) -> object:
        """What is read whole to read an image, where `random_access` is false.

        Args:
            index: of the image.
        """
        return index

    @property
    def groups_kept(self) -> int:
        """How many such groups stay in memory."""
        return 1

    def for_shuffling(self) -> ImageSet:
        """The same images, where as many groups stay in memory as a shuffled order goes back and forth between."""
        return self

    def source(self, index: int) -> tuple[object, ...]:
        """The file of an image and the position in it; empty if the images are in memory.

        Args:
            index: of the image.
        """
        return ()

    def digest(self, index: int) -> bytes:
        """The sha256 (32 bytes) of an image's content.

        Args:
            index: of the image.
        """
        return digest_of(self.read(index))

    def __len__(self) -> int:
        return len(self.ids)

    def location_of(self, index: int) -> str:
        """The file of an image, and the position in it, for messages.

        Args:
            index: of the image.
        """
        return f"{self.location}: {self.ids[index]}"

    def fingerprint(self) -> str:
        """The sha256 over ids, labels and contents; the same for the same images in any layout."""
        digest = hashlib.sha256(self.listing().encode())
        for index in range(len(self)):
            digest.update(self.digest(index))
        return digest.hexdigest()

    def listing(self) -> str:
        """The sha256 over ids and labels alone."""
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

    def group_of(self, index: int) -> object:
        return self.images.group_of(self.position(index))

    @property
    def groups_kept(self) -> int:
        return self.images.groups_kept

    def for_shuffling(self) -> ImageSet:
        return replace(self, images=self.images.for_shuffling())

    def read(self, index: int) -> Content:
        return self.images.read(self.position(index))

    def location_of(self, index: int) -> str:
        return self.images.location_of(self.position(index))

    def source(self, index: int) -> tuple[object, ...]:
        return self.images.source(self.position(index))


@dataclass(frozen=True)
class ChosenImages(ImagesOfAnotherSet):
    """Some images of another set, with labels of their own: ``positions`` are places in ``images``."""

    positions: Sequence[int]

    def position(self, index: int) -> int:
        return self.positions[index]
