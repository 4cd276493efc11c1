"""Pixels on disk, so that the second model under a protocol neither decodes nor resizes.

One ``.npy`` file an image set and protocol; a record an image, with the sha256 of the image that its pixels are of and
the checksum of the record. A record is filled when its image is first asked for, by any process, and counts only if
both fit: a run that was killed, or two that write the same image, leave nothing wrong behind. Records are read and
written by calls: in memory that is mapped, a file that becomes shorter ends the process (SIGBUS).
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
        path, made = self.path(protocol), None
        layout = _layout(path)
        if layout is None:
            made = make()
            layout = self._create(path, made.pixels.numpy())
        kept, digest = layout.read(path, index), self.images.digest(index)
        truncated = bool(kept["truncated"])
        if kept["sha256"].tobytes() == digest and kept["crc"] == _checksum(kept["pixels"], digest, truncated):
            return Prepared(torch.from_numpy(kept["pixels"]), truncated)
        made = make() if made is None else made
        pixels = made.pixels.numpy()
        if pixels.shape != kept["pixels"].shape:
            sizes = f"{kept['pixels'].shape} and {pixels.shape}"
            raise DatasetError(f"{path}: images of several sizes ({sizes}); use a protocol that resizes")
        checksum = _checksum(pixels, digest, made.truncated)
        layout.write(path, index, (pixels, np.frombuffer(digest, np.uint8), made.truncated, checksum))
        return made

    def _create(self, path: Path, example: NDArray[Any]) -> _Layout:
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
        with _said(path, size):
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".tmp") as file:
                header = {"descr": record.descr, "fortran_order": False, "shape": (len(self.images),)}
                np.lib.format.write_array_header_2_0(file, header)
                file.flush()
                made = _Layout(record, file.tell())
                os.posix_fallocate(file.fileno(), 0, made.start + size)  # or the disk is full in mid-run
                with suppress(FileExistsError):  # no `files.replacing`: another process's file may hold pixels already
                    os.link(file.name, path)
        return _layout(path) or made


@dataclass(frozen=True)
class _Layout:
    """Where the records of a file lie.

    Args:
        record: one.
        start: byte at which the first one begins.
    """

    record: np.dtype[Any]
    start: int

    def read(self, path: Path, index: int) -> Any:
        """A record; zeros where the file ends before it, or is gone."""
        row = bytearray(self.record.itemsize)
        with suppress(FileNotFoundError), _said(path), path.open("rb", buffering=0) as file:
            os.preadv(file.fileno(), [row], self.start + index * len(row))
        return np.frombuffer(row, self.record)[0]

    def write(self, path: Path, index: int, values: tuple[Any, ...]) -> None:
        """Write a record, unless the file is gone."""
        row = np.array([values], self.record).tobytes()
        with suppress(FileNotFoundError), _said(path), path.open("r+b", buffering=0) as file:
            if os.pwrite(file.fileno(), row, self.start + index * len(row)) != len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _said(path: Path, size: int = 0) -> Iterator[None]:
    """A full disk and the like is an error that names the file; who deletes it does no harm."""
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
    """A file's; None where there is none, or not even its header is whole: that one is removed."""
    try:
        return _header(path)
    except FileNotFoundError:
        return None
    except ValueError:
        path.unlink(missing_ok=True)
        return None


@cache
def _header(path: Path) -> _Layout:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        return _Layout(np.lib.format.read_array_header_2_0(file)[2], file.tell())
