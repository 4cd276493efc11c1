"""The sha256 of every image of a set, computed before a run and compared with every image that is read.

One pass hashes all images. The digests are stored in the cache folder with the files' stat signatures, so that an
unchanged tree is read only once. A core hashes 1.3 GB a second (AMD EPYC).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezoo.data.images import ChosenImages, Content, ImageSet, ImagesOfAnotherSet, digest_of, stat_signature
from densezoo.errors import DatasetError, ImageError
from densezoo.files import replacing
from densezoo.paths import cache_folder

Digests = NDArray[np.uint8]  # (images, 32): the sha256 of each image's content; zeros: the image can't be read

SIZE = hashlib.sha256().digest_size
SETTLED = 2.0  # seconds; a file that changed less long ago may change again with the same time stamp
THREADS = 4  # that wait for the disk
_VERSION = b"densezoo digests 1\n"


@dataclass(frozen=True)
class VerifiedImages(ImagesOfAnotherSet):
    """An image set whose contents are known: an image that isn't what it was when it was hashed is an error.

    Args:
        images: the set itself.
        digests: (len(images), 32).
    """

    digests: Digests

    def read(self, index: int) -> Content:
        was_readable = self.digests[index].any()
        try:
            content = super().read(index)
        except ImageError as error:
            if was_readable:
                raise self._changed(index, f"can't be read any more ({error})") from None
            raise
        if not was_readable:
            raise DatasetError(
                f"{self.location_of(index)}: couldn't be read when the run began, and can be now; start again"
            )
        if digest_of(content) != self.digest(index):
            raise self._changed(index, "is no longer what it was when the run began")
        return content

    def digest(self, index: int) -> bytes:
        return bytes(self.digests[index])

    def short_digests(self) -> NDArray[np.uint64]:
        """(len(images),): the first 8 bytes of each digest as a little-endian number, which records store."""
        return np.ascontiguousarray(self.digests[:, :8]).view("<u8")[:, 0]

    def _changed(self, index: int, change: str) -> DatasetError:
        return DatasetError(
            f"{self.location_of(index)}: {change} (expected the sha256 {self.digest(index).hex()[:16]}...); a "
            "result would be over two datasets: let nothing write to the images, then start again"
        )


def verified(images: ImageSet, digests: Digests) -> VerifiedImages:
    """An image set with its digests.

    Args:
        images: the set.
        digests: of `content_digests`.
    """
    common = {entry.name: getattr(images, entry.name) for entry in fields(ImageSet)}
    return VerifiedImages(**common, images=images, digests=digests)


def content_digests(images: ImageSet, advance: Callable[[int], None] = lambda _: None) -> Digests:
    """The digest of every image: the stored ones if no file has changed since, else by one pass over all images.

    For a part of a set (ReaL's, ImageNet-A's classes) the whole set is hashed, so that its digests are stored once.

    Args:
        images: the set.
        advance: is called with the number of further images of `hashed_set` that are done.

    Raises:
        DatasetError: an archive has changed since its images were listed.
    """
    if isinstance(images, ChosenImages):
        return content_digests(images.images, advance)[list(images.positions)]
    digests = _digests(images, advance)
    for path, listed in images.archives.items():
        if not os.path.exists(path) or stat_signature(path) != listed:
            raise DatasetError(
                f"{path}: has changed since its images were listed; let nothing write to it, start again"
            )
    return digests


def hashed_set(images: ImageSet) -> ImageSet:
    """The whole set, which is hashed for a part of it.

    Args:
        images: a set or a part of one.
    """
    return hashed_set(images.images) if isinstance(images, ChosenImages) else images


def _digests(images: ImageSet, advance: Callable[[int], None]) -> Digests:
    file = _StoredDigests.of(images)
    digests = file.load() if file else None
    if digests is not None:
        advance(len(images))
        return digests
    digests = np.zeros((len(images), SIZE), np.uint8)
    for index, digest in enumerate(_hashed(images)):
        digests[index] = np.frombuffer(digest, np.uint8)
        advance(1)
    if file and digests.any(axis=1).all():  # an image that can't be read now may be readable next time
        file.store(digests, images)
    return digests


def _hashed(images: ImageSet) -> Iterator[bytes]:
    def digest(index: int) -> bytes:
        try:
            return images.digest(index)
        except ImageError:  # later counted wrong, or an error, as --on-error says
            return bytes(SIZE)

    if not images.random_access:
        yield from map(digest, range(len(images)))
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(images), 1024):  # a part at a time: map would queue all of them
            yield from pool.map(digest, range(start, min(start + 1024, len(images))))


@dataclass(frozen=True)
class _StoredDigests:
    """The digests of a set on disk: version, stat signature, digests, and the sha256 of all three.

    Args:
        path: the file; its name depends on the images' paths, so that a changed tree's digests replace the former ones.
        signature: sha256 over size, inode and times of every file.
        newest: time of the last change of a file, seconds since the epoch.
    """

    path: Path
    signature: bytes
    newest: float

    @classmethod
    def of(cls, images: ImageSet) -> _StoredDigests | None:
        """The file for a set's digests; None: the set is in memory, or a file of it is missing."""
        sources, stats, newest = hashlib.sha256(), hashlib.sha256(), 0
        paths: set[str] = set()
        for index in range(len(images)):
            if not (source := images.source(index)):
                return None
            path = os.path.abspath(str(source[0]))
            sources.update(f"{path} {source[1:]}\0".encode(errors="surrogateescape"))
            if path in paths:
                continue
            paths.add(path)
            try:
                signature = stat_signature(path)
            except OSError:
                return None
            newest = max(newest, *signature[2:])
            stats.update(f"{signature}\0".encode())
        return cls(cache_folder() / "digests" / sources.hexdigest()[:32], stats.digest(), newest / 1e9)

    def load(self) -> Digests | None:
        """The stored digests; None if there are none, the file is broken, or an image's file has changed since."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        body, checksum = content[:-SIZE], content[-SIZE:]
        head = _VERSION + self.signature
        if not body.startswith(head) or hashlib.sha256(body).digest() != checksum:
            return None
        return np.frombuffer(body, np.uint8, offset=len(head)).reshape(-1, SIZE)

    def store(self, digests: Digests, images: ImageSet) -> None:
        """Store the digests, unless a file changed while they were computed or just before; ignore a full disk."""
        if time.time() - self.newest < SETTLED or _StoredDigests.of(images) != self:
            return
        body = _VERSION + self.signature + digests.tobytes()
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as hidden:
                hidden.write_bytes(body + hashlib.sha256(body).digest())
