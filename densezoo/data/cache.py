"""Pixels on disk, so that the second model under a protocol neither decodes nor resizes.

One ``.npy`` file an image set and protocol; a record an image, with the checksum of its pixels. A record is filled when
its image is first asked for, by any process, and counts only if the checksum fits: a run that was killed, or two that
write the same image, leave nothing wrong behind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezoo.data.views import Augmentation
from densezoo.errors import DatasetError
from densezoo.types import Protocol

_PACKAGES = ("densezoo", "numpy", "opencv-python", "pillow")  # another version may give other pixels


@dataclass(frozen=True)
class PixelCache:
    """The pixels of one image set under any protocol.

    Args:
        folder: where the files lie; made when needed. They may be deleted whenever no run uses them.
        fingerprint: of the image set.
        num_images: in it.
        augmentation: whose views are kept.
    """

    folder: Path
    fingerprint: str
    num_images: int
    augmentation: Augmentation | None = None

    def path(self, protocol: Protocol) -> Path:
        """The file of a protocol; its name changes with everything that can change a pixel."""
        versions = [(name, metadata.version(name)) for name in _PACKAGES]
        identity = repr((self.fingerprint, self.num_images, protocol, self.augmentation, versions))
        return self.folder / f"{protocol.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npy"

    def pixels(self, index: int, protocol: Protocol, make: Callable[[], Tensor]) -> Tensor:
        """The stored pixels of an image, or those that ``make`` gives, stored.

        Raises:
            DatasetError: no room for the file; an image of another size than the first.
        """
        path = self.path(protocol)
        made = None
        if not path.exists():
            made = make().numpy()
            self._create(path, made)
        record = _open(path)[index]
        if not record["crc"] or zlib.crc32(record["pixels"].data) != record["crc"]:
            made = make().numpy() if made is None else made
            if made.shape != record["pixels"].shape:
                sizes = f"{record['pixels'].shape} and {made.shape}"
                raise DatasetError(f"{path}: images of several sizes ({sizes}); use a protocol that resizes")
            record["pixels"] = made
            record["crc"] = zlib.crc32(made.tobytes())
        return torch.from_numpy(record["pixels"].copy())

    def _create(self, path: Path, example: NDArray[Any]) -> None:
        """An empty file with room for all images; keeps the one that another process made meanwhile."""
        record = np.dtype([("pixels", example.dtype, example.shape), ("crc", np.uint32)])
        size = self.num_images * record.itemsize
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".tmp") as file:
                header = {"descr": record.descr, "fortran_order": False, "shape": (self.num_images,)}
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


@cache
def _open(path: Path) -> NDArray[Any]:
    """The file's records, shared with every process that opened it."""
    records: NDArray[Any] = np.load(path, mmap_mode="r+")
    return records
