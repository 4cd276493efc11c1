"""Images in class folders, or in a tar of class folders; `densezoo.data.labels` finds classes and labels of both."""

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

    def location_of(self, index: int) -> str:
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
    """The images of a folder: ``<class>/<file>``, or the same below ``train/``, ``val/`` or ``test/``.

    Args:
        root: the folder.
        split: "train" or "test".
        num_classes: how many folders there must be, if nothing else says their labels; None: any number.
        class_names: class folders in label order, or {class folder: label}; None: folders are not matched by name.
        labeller: chooses and labels the images; None: `label_files`.

    Raises:
        DatasetError: no images, or not the expected classes (`label_files`).
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


@dataclass(frozen=True)
class TarListing:
    """The files in an uncompressed tar.

    Args:
        path: the tar.
        signature: its `stat_signature`, taken before it was read.
        members: its files, in its order.
    """

    path: Path
    signature: tuple[int, ...]
    members: Sequence[tarfile.TarInfo]


def tar_images(
    tar: TarListing,
    split: str,
    num_classes: int | None,
    class_names: ClassNames | None,
    labeller: Labeller | None = None,
) -> TarImages:
    """The images of an uncompressed tar, with the same layout as a folder.

    Args:
        tar: its files.
        split: "train" or "test".
        num_classes: how many folders there must be, if nothing else says their labels; None: any number.
        class_names: class folders in label order, or {class folder: label}; None: folders are not matched by name.
        labeller: chooses and labels the images; None: `label_files`.

    Raises:
        DatasetError: not the classes that are expected.
    """
    path, members = str(tar.path), sorted(tar.members, key=lambda member: member.name)
    labeller = labeller or partial(label_files, split=split, num_classes=num_classes, class_names=class_names)
    chosen = labeller([member.name for member in members], path)
    return TarImages(
        path,
        [file.id for file in chosen],
        [file.label for file in chosen],
        [(path, members[file.position].offset_data, members[file.position].size) for file in chosen],
        {path: tar.signature},
    )


def list_tar(path: Path) -> TarListing:
    """List an uncompressed tar.

    Args:
        path: the tar.

    Raises:
        DatasetError: no tar, a compressed or truncated one.
    """
    try:
        signature = stat_signature(path)
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
    return TarListing(path, signature, members)
