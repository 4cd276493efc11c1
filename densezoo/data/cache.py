"""Pixels on disk, so that the second model under a protocol neither decodes nor resizes.

One ``.npy`` file an image set and protocol; a record an image, with the sha256 of the image that its pixels are of and
the checksum of the record. A record is filled when its image is first asked for, by any process, and counts only if
both fit: a run that was killed, or two that write the same image, leave nothing wrong behind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from densezoo.data.images import ImageSet
from densezoo.data.libraries import decoding_versions
from densezoo.data.preprocess import Prepared
from densezoo.data.views import Augmentation
from densezoo.errors import DatasetError
from densezoo.types import Protocol

_FORMAT = 2  # of a record


@dataclass(frozen=True)
class PixelCache:
    """The pixels of one image set under any protocol.

    Args:
        folder: where the files lie; made when needed. They may be deleted whenever no run uses them.
        images: the set.
        augmentation: whose views are kept.
    """

    folder: Path
    images: ImageSet
    augmentation: Augmentation | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Of the image set."""
        return self.images.fingerprint()

    def path(self, protocol: Protocol) -> Path:
        """The file of a protocol; its name changes with everything that can change a pixel."""
        versions = decoding_versions()
        identity = repr((_FORMAT, self.fingerprint, len(self.images), protocol, self.augmentation, versions))
        return self.folder / f"{protocol.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npy"

    def prepared(self, index: int, protocol: Protocol, make: Callable[[], Prepared]) -> Prepared:
        """The image as it is stored, or as ``make`` gives it, stored.

        Raises:
            DatasetError: no room for the file; an image of another size than the first.
        """
        path = self.path(protocol)
        made = None
        if not path.exists():
            made = make()
            self._create(path, made.pixels.numpy())
        records, digest = _open(path), self.images.digest(index)
        kept = records[index].copy()  # what another process writes meanwhile changes nothing of it
        truncated = bool(kept["truncated"])
        if kept["sha256"].tobytes() == digest and kept["crc"] == _checksum(kept["pixels"], digest, truncated):
            return Prepared(torch.from_numpy(kept["pixels"]), truncated)
        made = make() if made is None else made
        pixels = made.pixels.numpy()
        if pixels.shape != kept["pixels"].shape:
            sizes = f"{kept['pixels'].shape} and {pixels.shape}"
            raise DatasetError(f"{path}: images of several sizes ({sizes}); use a protocol that resizes")
        checksum = _checksum(pixels, digest, made.truncated)
        records[index] = (pixels, np.frombuffer(digest, np.uint8), made.truncated, checksum)
        return made

    def _create(self, path: Path, example: NDArray[Any]) -> None:
        """An empty file with room for all images; keeps the one that another process made meanwhile."""
        record = np.dtype(
            [
                ("pixels", example.dtype, example.shape),
                ("sha256", np.uint8, (32,)),
                ("truncated", "?"),
                ("crc", np.uint32),
            ]
        )
        size = len(self.images) * record.itemsize
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".tmp") as file:
                header = {"descr": record.descr, "fortran_order": False, "shape": (len(self.images),)}
                np.lib.format.write_array_header_2_0(file, header)
                file.flush()
                os.posix_fallocate(file.fileno(), 0, file.tell() + size)  # or a full disk is a SIGBUS later
                os.link(file.name, path)
        except FileExistsError:
            return
        except OSError as error:
            room = f", {size / 1e9:.1f} GB are needed" if error.errno == errno.ENOSPC else ""
            raise DatasetError(
                f"{path}: the decoded pixels can't be kept ({error.strerror}{room}); choose another folder by --cache"
            ) from None


def _checksum(pixels: NDArray[Any], digest: bytes, truncated: bool) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data, zlib.crc32(digest + bytes([truncated])))


@cache
def _open(path: Path) -> NDArray[Any]:
    """The file's records, shared with every process that opened it."""
    records: NDArray[Any] = np.load(path, mmap_mode="r+")
    return records
