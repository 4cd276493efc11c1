"""What an image set holds, image by image: sha256s that are known before a run and held against every image read.

One pass hashes all images. The digests are kept in the cache folder under the files' stat signatures, so that an
unchanged tree is read once. A core hashes 1.3 GB a second (AMD EPYC).
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

Digests = NDArray[np.uint8]  # (images, 32): the sha256 of each image's content, zeros where it can't be read

SIZE = hashlib.sha256().digest_size
SETTLED = 2.0  # seconds; a file that changed later than this may change again under the same time stamp
THREADS = 4  # that wait for the disk; hashing itself is 1.3 GB/s a core
_VERSION = b"densezoo digests 1\n"


@dataclass(frozen=True)
class VerifiedImages(ImagesOfAnotherSet):
    """An image set whose contents are known: an image that isn't what it was when it was hashed is an error.

    Args:
        images: the set itself.
        digests: (len(images), 32), of each image.
    """

    digests: Digests

    def read(self, index: int) -> Content:
        known = self.digests[index].any()
        try:
            content = super().read(index)
        except ImageError as error:
            if known:
                raise self._changed(index, f"can't be read any more ({error})") from None
            raise
        if not known:
            raise DatasetError(f"{self.where(index)}: couldn't be read when the run began, and can be now; start again")
        if digest_of(content) != self.digest(index):
            raise self._changed(index, "is no longer what it was when the run began")
        return content

    def digest(self, index: int) -> bytes:
        return bytes(self.digests[index])

    def short_digests(self) -> NDArray[np.uint64]:
        """(len(images),) the first 8 bytes of each digest, little-endian: what a record keeps of its image."""
        return np.ascontiguousarray(self.digests[:, :8]).view("<u8")[:, 0]

    def _changed(self, index: int, what: str) -> DatasetError:
        return DatasetError(
            f"{self.where(index)}: {what} (expected the sha256 {self.digest(index).hex()[:16]}...); a result would be "
            "over two datasets: let nothing write to the images, then start again"
        )


def verified(images: ImageSet, digests: Digests) -> VerifiedImages:
    """The set with its digests (`content_digests`)."""
    common = {entry.name: getattr(images, entry.name) for entry in fields(ImageSet)}
    return VerifiedImages(**common, images=images, digests=digests)


def content_digests(images: ImageSet, advance: Callable[[int], None] = lambda _: None) -> Digests:
    """Every image's digest: remembered, where no file has changed since, or by one pass over all of them.

    Of a part of a set (ReaL's, ImageNet-A's classes) all of the set, which is one tree, and read once.

    Args:
        advance: is called with how many images more of `hashed_set` are done.

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
    """The set that is hashed for this one."""
    return hashed_set(images.images) if isinstance(images, ChosenImages) else images


def _digests(images: ImageSet, advance: Callable[[int], None]) -> Digests:
    kept = _Remembered.of(images)
    digests = kept.load() if kept else None
    if digests is not None:
        advance(len(images))
        return digests
    digests = np.zeros((len(images), SIZE), np.uint8)
    for index, digest in enumerate(_hashed(images)):
        digests[index] = np.frombuffer(digest, np.uint8)
        advance(1)
    if kept and digests.any(axis=1).all():  # what couldn't be read now may be readable next time
        kept.store(digests, images)
    return digests


def _hashed(images: ImageSet) -> Iterator[bytes]:
    def digest(index: int) -> bytes:
        try:
            return images.digest(index)
        except ImageError:  # counted wrong later, or an error, as the user has it
            return bytes(SIZE)

    if not images.random_access:
        yield from map(digest, range(len(images)))
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(images), 1024):  # a part at a time: map would queue all of them
            yield from pool.map(digest, range(start, min(start + 1024, len(images))))


@dataclass(frozen=True)
class _Remembered:
    """The digests of a set on disk: version, stat signature, digests, and the sha256 of all that.

    Args:
        path: named by where the images lie, so that a changed tree's digests replace the former ones.
        signature: sha256 over size, inode and times of every file.
        newest: when a file changed last, seconds.
    """

    path: Path
    signature: bytes
    newest: float

    @classmethod
    def of(cls, images: ImageSet) -> _Remembered | None:
        """Where a set's digests are kept; None: it lies in memory, or a file is missing."""
        places, stats, newest = hashlib.sha256(), hashlib.sha256(), 0
        seen: set[str] = set()
        for index in range(len(images)):
            if not (source := images.source(index)):
                return None
            path = os.path.abspath(str(source[0]))
            places.update(f"{path} {source[1:]}\0".encode(errors="surrogateescape"))
            if path in seen:
                continue
            seen.add(path)
            try:
                signature = stat_signature(path)
            except OSError:
                return None
            newest = max(newest, *signature[2:])
            stats.update(f"{signature}\0".encode())
        kept = cache_folder() / "digests" / places.hexdigest()[:32]
        return cls(kept, stats.digest(), newest / 1e9)

    def load(self) -> Digests | None:
        """What is kept, if it is whole and of the files as they are."""
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
        """Keep the digests, unless a file changed while they were made or just before; without a place, keep none."""
        if time.time() - self.newest < SETTLED or _Remembered.of(images) != self:
            return
        body = _VERSION + self.signature + digests.tobytes()
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as hidden:
                hidden.write_bytes(body + hashlib.sha256(body).digest())
