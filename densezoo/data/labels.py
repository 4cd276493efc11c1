"""Finds the images in a listing of files and their labels, by class folders or by a class map."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from densezoo.errors import DatasetError, some

IMAGE_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
    ".dcm",
)  # torchvision's, and DICOM
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test", "validation")}

ClassNames: TypeAlias = "Sequence[str] | Mapping[str, int]"  # class folders in label order, or a class map


@dataclass(frozen=True)
class LabelledFile:
    """One image of a listing of files: its position in the listing, its id and its label."""

    position: int
    id: str
    label: int


Labeller: TypeAlias = Callable[[Sequence[str], str], list[LabelledFile]]  # (names, location), as `label_files`


def is_image(name: str) -> bool:
    """Whether a file's name ends as an image's.

    Args:
        name: of the file.
    """
    return name.lower().endswith(IMAGE_ENDINGS)


def image_files(names: Sequence[str]) -> list[tuple[int, PurePosixPath]]:
    """(position in ``names``, path) of the names that are images'.

    Args:
        names: of files.
    """
    return [(i, PurePosixPath(name)) for i, name in enumerate(names) if is_image(name)]


def label_files(
    names: Sequence[str], location: str, split: str, num_classes: int | None, class_names: ClassNames | None
) -> list[LabelledFile]:
    """The images of a split among files, with ids and labels, ordered by id.

    The folder of a file is its class, and the folder above is the split. The label of a class is that of its name in
    ``class_names`` if it has all folders' names; the folder's number if all folders are numbers; otherwise the position
    among the sorted names, of which there must be ``num_classes``.

    Args:
        names: paths of the files.
        location: of the files, for messages.
        split: "train" or "test".
        num_classes: None: any number.
        class_names: class folders in label order, or {class folder: label}; None: folders are not matched by name.

    Raises:
        DatasetError: no images, no folder of the split, unexpected classes, a label out of range.
    """
    images = [(i, path) for i, path in image_files(names) if len(path.parts) >= 2]
    if not images:
        raise DatasetError(
            f"{location}: no images found; expected <class>/<file> with one of {', '.join(IMAGE_ENDINGS)}, "
            "or the same below val/ or test/"
        )
    above = {path.parent.parent for _, path in images}
    if len(above) > 1 or above & {PurePosixPath(name) for names in SPLIT_FOLDERS.values() for name in names}:
        of_split = [folder for folder in above if folder.name in SPLIT_FOLDERS[split]]
        if len(of_split) != 1:
            parents = ", ".join(sorted(str(folder) for folder in above)[:5])
            raise DatasetError(
                f"{location}: expected one folder named {' or '.join(SPLIT_FOLDERS[split])} that holds the class "
                f"folders; found class folders below: {parents}. Point --data-root at the right one"
            )
        images = [(i, path) for i, path in images if path.parent.parent == of_split[0]]
    labels = _labels({path.parent.name for _, path in images}, location, num_classes, class_names)
    files = [LabelledFile(i, f"{path.parent.name}/{path.name}", labels[path.parent.name]) for i, path in images]
    return sorted(files, key=lambda file: file.id)


def _labels(
    folders: set[str], location: str, num_classes: int | None, class_names: ClassNames | None
) -> dict[str, int]:
    ordered = sorted(folders)
    known = label_of(class_names)
    if known and folders <= set(known):
        return {name: known[name] for name in ordered}
    if all(name.isdecimal() for name in ordered):
        labels = {name: int(name) for name in ordered}
        check_labels(list(labels.values()), [f"{location}/{name}" for name in ordered], num_classes)
        return labels
    if num_classes in (len(ordered), None) and not isinstance(class_names, Mapping):
        return {name: label for label, name in enumerate(ordered)}
    named = f" or folders named {next(iter(known))} ... {list(known)[-1]}" if known else ""
    unknown = [name for name in ordered if name not in known]
    raise DatasetError(
        f"{location}: expected {num_classes} class folders{named}; found {len(ordered)}: {some(ordered)}"
        + (f"; not among the known names: {', '.join(unknown[:5])}" if 0 < len(unknown) < len(ordered) else "")
    )


def label_of(class_names: ClassNames | None) -> Mapping[str, int]:
    """{class name: label}; empty for None.

    Args:
        class_names: class folders in label order, or {class folder: label}; None: none are known.
    """
    if isinstance(class_names, Mapping):
        return class_names
    return {name: label for label, name in enumerate(class_names or ())}


def read_class_map(path: Path) -> dict[str, int]:
    """{class folder: label} of a .json file, or of a text file of lines ``name`` or ``name label``.

    Args:
        path: the file.

    Raises:
        DatasetError: there is no such file, or it has another format.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            pairs = list(json.loads(text).items())
        else:
            lines = [line.split() for line in text.splitlines() if line.strip()]
            pairs = [(words[0], int(words[1]) if len(words) > 1 else i) for i, words in enumerate(lines)]
        if any(not isinstance(label, int) for _, label in pairs) or len(dict(pairs)) != len(pairs):
            raise ValueError("a label that is no whole number, or a name twice")
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path}: no class map ({error}); expected a .json of {{folder: label}}, or lines of 'folder' or "
            "'folder label', labels counted from 0"
        ) from None
    return dict(pairs)


def check_labels(labels: Sequence[int], locations: Sequence[str], num_classes: int | None) -> None:
    """Refuse labels that are out of range.

    Args:
        labels: of the images or classes.
        locations: of each label, for messages.
        num_classes: labels go from 0 to num_classes - 1; None: any label is allowed.

    Raises:
        DatasetError: a label is out of range; names the first, and says so if the labels seem to count from 1.
    """
    if num_classes is None or not labels:
        return
    cause = "this is not the data for that model, or its classes are numbered otherwise"
    if min(labels) >= 1 and max(labels) == num_classes:
        cause = "no label is 0, so these labels seem to count from 1: take 1 off each"
    for label, location in zip(labels, locations):
        if not 0 <= label < num_classes:
            raise DatasetError(f"{location}: label {label} is out of range; expected 0 to {num_classes - 1}: {cause}")
