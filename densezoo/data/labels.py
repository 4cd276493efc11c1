"""Which files of a listing are images, and which labels they have: by class folders, or by a list beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from densezoo.errors import DatasetError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test", "validation")}

ClassNames: TypeAlias = "Sequence[str] | Mapping[str, int]"  # class folders in label order, or a class map


@dataclass(frozen=True)
class LabelledFile:
    """One image of a listing: its place in it, its id and its label."""

    position: int
    id: str
    label: int


Labeller: TypeAlias = Callable[[Sequence[str], str], list[LabelledFile]]  # (names, location), as `label_files`


def image_files(names: Sequence[str]) -> list[tuple[int, PurePosixPath]]:
    """(position, path) of those names that are images."""
    return [(i, PurePosixPath(name)) for i, name in enumerate(names) if name.lower().endswith(IMAGE_ENDINGS)]


def label_files(
    names: Sequence[str], location: str, split: str, num_classes: int | None, class_names: ClassNames | None
) -> list[LabelledFile]:
    """Which of the files are the split's images, with ids and labels, ordered by id.

    The folder that a file lies in is its class; what is above is the split. A class has the label of its name in
    ``class_names`` where all folders are named so; its own number where all folders are numbers; otherwise its
    place among the sorted names, of which there must be ``num_classes``.

    Raises:
        DatasetError: no images, several splits of which none is the one asked for, unexpected classes, a label out
            of range.
    """
    images = [(i, path) for i, path in image_files(names) if len(path.parts) >= 2]
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
        f"{location}: expected {num_classes} class folders{named}; found {len(ordered)}: {', '.join(ordered[:5])}"
        + (", ..." if len(ordered) > 5 else "")
        + (f"; not among the known names: {', '.join(unknown[:5])}" if 0 < len(unknown) < len(ordered) else "")
    )


def label_of(class_names: ClassNames | None) -> Mapping[str, int]:
    """{class name: label}."""
    if isinstance(class_names, Mapping):
        return class_names
    return {name: label for label, name in enumerate(class_names or ())}


def read_class_map(path: Path) -> dict[str, int]:
    """{class folder: label} of a .json of that, or of a text of one folder a line: ``name``, or ``name label``.

    Raises:
        DatasetError: no such file, or neither.
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


def check_labels(labels: Sequence[int], places: Sequence[str], num_classes: int | None) -> None:
    """Hold every label against the number of classes; None: they are not known yet.

    Raises:
        DatasetError: a label out of range, naming the first place; says so where all of them count from 1.
    """
    if num_classes is None or not labels:
        return
    cause = "this is not the data for that model, or its classes are numbered otherwise"
    if min(labels) >= 1 and max(labels) == num_classes:
        cause = "no label is 0, so these labels seem to count from 1: take 1 off each"
    for label, place in zip(labels, places):
        if not 0 <= label < num_classes:
            raise DatasetError(f"{place}: label {label} is out of range; expected 0 to {num_classes - 1}: {cause}")
