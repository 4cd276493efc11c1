"""Images in class folders, or in a tar of class folders.

Both share one rule for which folder is a class and which label it has (`densezoo.data.labels`).
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from densezoo.data.images import ImageSet, Listed, stat_signature
from densezoo.data.labels import ClassNames, Labeller, label_files
from densezoo.errors import DatasetError, ImageError


@dataclass(frozen=True)
class FolderImages(ImageSet):
    """Files below a folder; ``paths`` are absolute."""

    paths: Sequence[str]

    def read(self, index: int) -> bytes:
        try:
            return Path(self.paths[index]).read_bytes()
        except OSError as error:
            raise ImageError(f"{self.paths[index]}: can't be read ({error.strerror})") from None

    def where(self, index: int) -> str:
        return self.paths[index]

    def source(self, index: int) -> tuple[object, ...]:
        return (self.paths[index],)


@dataclass(frozen=True)
class TarImages(ImageSet):
    """Members of uncompressed tars: ``spans`` are (tar, offset, size in bytes). Nothing is unpacked."""

    spans: Sequence[tuple[str, int, int]]
    listed: Listed

    @property
    def archives(self) -> Listed:
        return self.listed

    def read(self, index: int) -> bytes:
        path, offset, size = self.spans[index]
        try:
            with open(path, "rb") as file:  # opened anew, so that loader processes share no position
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            raise ImageError(f"{path}: can't be read ({error.strerror})") from None

    def source(self, index: int) -> tuple[object, ...]:
        return self.spans[index]


def folder_images(
    root: Path,
    split: str,
    num_classes: int | None,
    class_names: ClassNames | None,
    labeller: Labeller | None = None,
) -> FolderImages:
    """The images of ``root``: ``<class>/<file>``, or the same below ``train/``, ``val/`` or ``test/``.

    Args:
        labeller: finds the labels otherwise than by class folders.

    Raises:
        DatasetError: no images, or not the classes that are expected (`label_files`).
    """
    names = sorted(
        Path(folder, name).relative_to(root).as_posix()
        for folder, _, files in os.walk(root, followlinks=True)
        for name in files
    )
    labeller = labeller or partial(label_files, split=split, num_classes=num_classes, class_names=class_names)
    chosen = labeller(names, str(root))
    return FolderImages(
        str(root),
        [file.id for file in chosen],
        [file.label for file in chosen],
        [str(root / names[file.position]) for file in chosen],
    )


def tar_images(
    path: Path,
    split: str,
    num_classes: int | None,
    class_names: ClassNames | None,
    labeller: Labeller | None = None,
) -> TarImages:
    """The images of an uncompressed tar, laid out as `folder_images` has it.

    Raises:
        DatasetError: no tar, a compressed or truncated one, or not the classes that are expected.
    """
    listed = {str(path): stat_signature(path)} if path.exists() else {}  # before it is: what isn't there is refused
    members = sorted(tar_members(path), key=lambda member: member.name)
    labeller = labeller or partial(label_files, split=split, num_classes=num_classes, class_names=class_names)
    chosen = labeller([member.name for member in members], str(path))
    spans = [(members[file.position].offset_data, members[file.position].size) for file in chosen]
    return TarImages(
        str(path),
        [file.id for file in chosen],
        [file.label for file in chosen],
        [(str(path), offset, size) for offset, size in spans],
        listed,
    )


def tar_members(path: Path) -> list[tarfile.TarInfo]:
    """The files in an uncompressed tar, in its order.

    Raises:
        DatasetError: no tar, a compressed or truncated one.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = [member for member in tar if member.isfile()]
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatasetError(
            f"{path}: expected a folder or an uncompressed tar of class folders ({error}); unpack a .tar.gz first"
        ) from None
    size = path.stat().st_size
    for member in members:
        if member.offset_data + member.size > size:
            raise DatasetError(f"{path}: truncated: {member.name} ends past its {size:,} bytes; fetch it anew")
    return members
