"""Labelled sets of images as users have them: class folders, a tar of class folders, arrays.

Files and tars share one rule for which folder is a class and which label it has (`label_files`).
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import DatasetError, ImageError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test", "validation")}


@dataclass(frozen=True)
class ImageSet(ABC):
    """Images with ids and labels; `read` gives one, encoded or as pixels.

    Args:
        location: file or folder, for messages.
        ids: one an image, unique, the same wherever the set lies.
        labels: class indices.
    """

    location: str
    ids: Sequence[str]
    labels: Sequence[int]

    @abstractmethod
    def read(self, index: int) -> bytes | NDArray[np.uint8]:
        """The encoded file, or pixels (H, W, 3) or (H, W)."""

    @abstractmethod
    def contents(self) -> Iterable[bytes]:
        """What tells two sets with the same ids and labels apart: sizes of files, bytes of arrays."""

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, index: int) -> str:
        """The image's place, for messages."""
        return f"{self.location}: {self.ids[index]}"

    def fingerprint(self) -> str:
        """sha256 over ids, labels and contents; a folder and a tar of the same files have the same."""
        digest = hashlib.sha256()
        for name, label, content in zip(self.ids, self.labels, self.contents()):
            digest.update(f"{name}\0{label}\0".encode() + content)
        return digest.hexdigest()


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

    def contents(self) -> Iterable[bytes]:
        return (f"{os.path.getsize(path)}\n".encode() for path in self.paths)


@dataclass(frozen=True)
class TarImages(ImageSet):
    """Members of an uncompressed tar: ``spans`` are (offset, size) in bytes. Nothing is unpacked."""

    spans: Sequence[tuple[int, int]]

    def read(self, index: int) -> bytes:
        offset, size = self.spans[index]
        with open(self.location, "rb") as file:  # opened anew, so that loader processes share no position
            file.seek(offset)
            return file.read(size)

    def contents(self) -> Iterable[bytes]:
        return (f"{size}\n".encode() for _, size in self.spans)


@dataclass(frozen=True)
class ArrayImages(ImageSet):
    """Decoded pixels in memory: uint8 (N, H, W, 3) or (N, H, W)."""

    pixels: NDArray[np.uint8]

    def read(self, index: int) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self.pixels[index]
        return image

    def contents(self) -> Iterable[bytes]:
        return (image.tobytes() for image in self.pixels)


@dataclass(frozen=True)
class LabelledFile:
    """One image of a listing: its place in it, its id and its label."""

    position: int
    id: str
    label: int


def folder_images(root: Path, split: str, num_classes: int, class_names: Sequence[str] | None) -> FolderImages:
    """The images of ``root``: ``<class>/<file>``, or the same below ``train/``, ``val/`` or ``test/``.

    Raises:
        DatasetError: no images, or not the classes that are expected (`label_files`).
    """
    names = sorted(
        Path(folder, name).relative_to(root).as_posix()
        for folder, _, files in os.walk(root, followlinks=True)
        for name in files
    )
    chosen = label_files(names, str(root), split, num_classes, class_names)
    return FolderImages(
        str(root),
        [file.id for file in chosen],
        [file.label for file in chosen],
        [str(root / names[file.position]) for file in chosen],
    )


def tar_images(path: Path, split: str, num_classes: int, class_names: Sequence[str] | None) -> TarImages:
    """The images of an uncompressed tar, laid out as `folder_images` has it.

    Raises:
        DatasetError: no tar, a compressed or truncated one, or not the classes that are expected.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = sorted((m for m in tar if m.isfile()), key=lambda member: member.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatasetError(
            f"{path}: expected a folder or an uncompressed tar of class folders ({error}); unpack a .tar.gz first"
        ) from None
    size = path.stat().st_size
    for member in members:
        if member.offset_data + member.size > size:
            raise DatasetError(f"{path}: truncated: {member.name} ends past its {size:,} bytes; fetch it anew")
    chosen = label_files([member.name for member in members], str(path), split, num_classes, class_names)
    return TarImages(
        str(path),
        [file.id for file in chosen],
        [file.label for file in chosen],
        [(members[file.position].offset_data, members[file.position].size) for file in chosen],
    )


def label_files(
    names: Sequence[str], location: str, split: str, num_classes: int, class_names: Sequence[str] | None
) -> list[LabelledFile]:
    """Which of the files are the split's images, with ids and labels, ordered by id.

    The folder that a file lies in is its class; what is above is the split. A class has the label of its name in
    ``class_names`` where all folders are named so; its own number where all folders are numbers; otherwise its
    place among the sorted names, of which there must be ``num_classes``.

    Raises:
        DatasetError: no images, several splits of which none is the one asked for, unexpected classes, a label out
            of range.
    """
    images = [(i, PurePosixPath(name)) for i, name in enumerate(names) if name.lower().endswith(IMAGE_ENDINGS)]
    images = [(i, path) for i, path in images if len(path.parts) >= 2]
    if not images:
        raise DatasetError(
            f"{location}: no images found; expected <class>/<file> with one of {', '.join(IMAGE_ENDINGS)}, "
            "or the same below val/ or test/"
        )
    above = {path.parent.parent for _, path in images}
    if len(above) > 1 or above & {PurePosixPath(name) for names in SPLIT_FOLDERS.values() for name in names}:
        wanted = [folder for folder in above if folder.name in SPLIT_FOLDERS[split]]
        if len(wanted) != 1:
            found = ", ".join(sorted(str(folder) for folder in above)[:5])
            raise DatasetError(
                f"{location}: expected one folder named {' or '.join(SPLIT_FOLDERS[split])} that holds the class "
                f"folders; found class folders below: {found}. Point --data-root at the right one"
            )
        images = [(i, path) for i, path in images if path.parent.parent == wanted[0]]
    labels = _labels({path.parent.name for _, path in images}, location, num_classes, class_names)
    files = [LabelledFile(i, f"{path.parent.name}/{path.name}", labels[path.parent.name]) for i, path in images]
    return sorted(files, key=lambda file: file.id)


def _labels(folders: set[str], location: str, num_classes: int, class_names: Sequence[str] | None) -> dict[str, int]:
    ordered = sorted(folders)
    if class_names is not None and folders <= set(class_names):
        return {name: class_names.index(name) for name in ordered}
    if all(name.isdecimal() for name in ordered):
        labels = {name: int(name) for name in ordered}
        check_labels(list(labels.values()), [f"{location}/{name}" for name in ordered], num_classes)
        return labels
    if len(ordered) == num_classes:
        return {name: label for label, name in enumerate(ordered)}
    known = "" if class_names is None else f" or folders named {class_names[0]} ... {class_names[-1]}"
    raise DatasetError(
        f"{location}: expected {num_classes} class folders{known}; found {len(ordered)}: {', '.join(ordered[:5])}"
        + (", ..." if len(ordered) > 5 else "")
    )


def check_labels(labels: Sequence[int], places: Sequence[str], num_classes: int) -> None:
    """Hold every label against the number of classes.

    Raises:
        DatasetError: a label out of range, naming the first place.
    """
    for label, place in zip(labels, places):
        if not 0 <= label < num_classes:
            raise DatasetError(
                f"{place}: label {label} is out of range; expected 0 to {num_classes - 1}: "
                "this is not the data for that model, or its classes are numbered otherwise"
            )
