"""Decoded pixels on disk, so that further models under the same protocol neither decode nor resize.

One ``.npy`` file for each image set and protocol, with a record for each image: its pixels, the image's sha256 and the
record's checksum. A record is written when its image is first read, by any process, and used only if sha256 and
checksum fit: killed runs, and two runs that write the same image, leave no wrong pixels. Records are read and written
by system calls: if the file were mapped into memory and became shorter, a signal (SIGBUS) would end the process.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from densezoo.data.images import ImageSet
from densezoo.data.libraries import decoding_versions
from densezoo.data.preprocess import Prepared
from densezoo.data.views import Augmentation
from densezoo.errors import DatasetError
from densezoo.files import ordinary_mode
from densezoo.types import Protocol

_FORMAT = 2  # of a record


@dataclass(frozen=True)
class PixelCache:
    """The pixels of one image set under any protocol.

    Args:
        folder: of the files; it is made when needed. The files may be deleted while no run uses them.
        images: the set.
        augmentation: the views that are stored; None: one.
    """

    folder: Path
    images: ImageSet
    augmentation: Augmentation | None = None

    @cached_property
    def fingerprint(self) -> str:
        """The image set's."""
        return self.images.fingerprint()

    def path(self, protocol: Protocol) -> Path:
        """The file for a protocol; its name depends on everything that can change a pixel.

        Args:
            protocol: of the pixels.
        """
        versions = decoding_versions()
        identity = repr((_FORMAT, self.fingerprint, len(self.images), protocol, self.augmentation, versions))
        return self.folder / f"{protocol.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npy"

    def prepared(self, index: int, protocol: Protocol, make: Callable[[], Prepared]) -> Prepared:
        """The stored image; if it isn't stored, make and store it.

        Args:
            index: of the image in the set.
            protocol: of the pixels.
            make: prepares the image.

        Raises:
            DatasetError: no room for the file; an image of another size than the first.
        """
        path, image = self.path(protocol), None
        layout = _layout(path)
        if layout is None:
            image = make()
            layout = self._create(path, image.pixels.numpy())
        stored, digest = layout.read(path, index), self.images.digest(index)
        truncated = bool(stored["truncated"])
        if stored["sha256"].tobytes() == digest and stored["crc"] == _checksum(stored["pixels"], digest, truncated):
            return Prepared(torch.from_numpy(stored["pixels"]), truncated)
        image = make() if image is None else image
        pixels = image.pixels.numpy()
        if pixels.shape != stored["pixels"].shape:
            sizes = f"{stored['pixels'].shape} and {pixels.shape}"
            raise DatasetError(f"{path}: images of several sizes ({sizes}); use a protocol that resizes")
        checksum = _checksum(pixels, digest, image.truncated)
        layout.write(path, index, (pixels, np.frombuffer(digest, np.uint8), image.truncated, checksum))
        return image

    def _create(self, path: Path, example: NDArray[Any]) -> _Layout:
        """Create an empty file with room for all images, unless another process has just created it."""
        record = np.dtype(
            [
                ("pixels", example.dtype, example.shape),
                ("sha256", np.uint8, (32,)),
                ("truncated", "?"),
                ("crc", np.uint32),
            ]
        )
        size = len(self.images) * record.itemsize
        with _naming_file(path, size):
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".tmp") as file:
                header = {"descr": record.descr, "fortran_order": False, "shape": (len(self.images),)}
                os.fchmod(file.fileno(), ordinary_mode(Path(f"{file.name}.mode")))  # who shares a cache reads it
                np.lib.format.write_array_header_2_0(file, header)
                file.flush()
                layout = _Layout(record, file.tell())
                os.posix_fallocate(file.fileno(), 0, layout.start + size)  # so that the disk can't be full later
                with suppress(FileExistsError):  # no `files.replacing`: another process's file may hold pixels already
                    os.link(file.name, path)
        return _layout(path) or layout


@dataclass(frozen=True)
class _Layout:
    """The position of the records in a file.

    Args:
        record: type of a record.
        start: offset of the first one, bytes.
    """

    record: np.dtype[np.void]
    start: int

    def read(self, path: Path, index: int) -> np.void:
        """A record; zeros if the file ends before it or doesn't exist any more."""
        row = bytearray(self.record.itemsize)
        with suppress(FileNotFoundError), _naming_file(path), path.open("rb", buffering=0) as file:
            os.preadv(file.fileno(), [row], self.start + index * len(row))
        record: np.void = np.frombuffer(row, self.record)[0]
        return record

    def write(self, path: Path, index: int, values: tuple[object, ...]) -> None:
        """Write a record, unless the file doesn't exist any more."""
        row = np.array([values], self.record).tobytes()
        with suppress(FileNotFoundError), _naming_file(path), path.open("r+b", buffering=0) as file:
            if os.pwrite(file.fileno(), row, self.start + index * len(row)) != len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _naming_file(path: Path, size: int = 0) -> Iterator[None]:
    """Turn the system's errors, such as a full disk, into one that names the file; FileNotFoundError passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        room = f", {size / 1e9:.1f} GB are needed" if size and error.errno == errno.ENOSPC else ""
        raise DatasetError(
            f"{path}: the decoded pixels can't be kept ({error.strerror}{room}); choose another folder by --cache"
        ) from None


def _checksum(pixels: NDArray[Any], digest: bytes, truncated: bool) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data, zlib.crc32(digest + bytes([truncated])))


def _layout(path: Path) -> _Layout | None:
    """The layout of a file; None if there is no file. A file with a broken header is removed."""
    try:
        return _header(path)
    except FileNotFoundError:
        return None
    except (ValueError, TokenError):  # the latter from Python 3.12 on, of a header with null bytes
        path.unlink(missing_ok=True)
        return None


@cache
def _header(path: Path) -> _Layout:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        return _Layout(np.lib.format.read_array_header_2_0(file)[2], file.tell())
