"""The classes of a user's own images: the names of their folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import PurePosixPath

from densezoo.data.images import ChosenImages, ImageSet
from densezoo.errors import DatasetError, some


def folder_of(images: ImageSet, index: int) -> str:
    """The class folder of an image, "" if its id has none.

    Args:
        images: of `densezoo.data.layouts.folder`, whose ids are ``<class>/<file>``.
        index: of the image.
    """
    path = PurePosixPath(images.ids[index])
    return path.parts[0] if len(path.parts) == 2 else ""


def class_folders(images: ImageSet) -> tuple[str, ...]:
    """The names of the class folders, in order; folders that are all numbers in the order of these.

    Args:
        images: of `densezoo.data.layouts.folder`, whose ids are ``<class>/<file>``.

    Raises:
        DatasetError: an image lies in no class folder.
    """
    names = {folder_of(images, index) for index in range(len(images))}
    if "" in names:
        raise DatasetError(f"{images.location}: expected class folders with images in them: <class>/<file>")
    return tuple(sorted(names, key=int if all(name.isdecimal() for name in names) else str))


def labelled_by_folder(images: ImageSet, class_names: Sequence[str]) -> ImageSet:
    """The same images; the label of each is the place of its folder among the names of a network's classes.

    Args:
        images: of `densezoo.data.layouts.folder`, whose ids are ``<class>/<file>``.
        class_names: of a network, in the order of its logits.

    Raises:
        DatasetError: a folder is no class of the network.
    """
    places = {name: label for label, name in enumerate(class_names)}
    folders = [folder_of(images, index) for index in range(len(images))]
    if unknown := sorted(set(folders) - places.keys()):
        raise DatasetError(
            f"{images.location}: the class folders {some(unknown)} are none of the network's {len(places)} classes "
            f"({some(list(places))}); expected folders of their names"
        )
    common = {entry.name: getattr(images, entry.name) for entry in fields(ImageSet)}
    common["labels"] = [places[folder] for folder in folders]
    return ChosenImages(**common, images=images, positions=range(len(images)))


def check_folders(images: ImageSet, num_classes: int) -> None:
    """Refuse class folders of which nothing says which of a network's classes they are.

    Folders that are as many as the classes are taken in their order, and numbers for the classes' own.

    Args:
        images: of `densezoo.data.layouts.folder`, whose ids are ``<class>/<file>``.
        num_classes: of the network.

    Raises:
        DatasetError: they are neither.
    """
    folders = class_folders(images)
    if len(folders) != num_classes and not all(name.isdecimal() for name in folders):
        raise DatasetError(
            f"{images.location}: expected {num_classes} class folders, one for each class of the network, found "
            f"{len(folders)}: {some(folders)}; name them by the classes' numbers, or list them for densezoo test "
            "--class-map"
        )
