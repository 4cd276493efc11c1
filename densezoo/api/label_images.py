"""The images that a network of several labels an image is measured on, as a CSV of labels names them."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from densezoo.data.images import ImageSet
from densezoo.data.labels import SPLIT_FOLDERS
from densezoo.data.layouts.label_table import LabelTable, read_label_table, table_images
from densezoo.data.split import part_of
from densezoo.errors import ConfigError, DatasetError, some


def find_table(path: Path, root: Path | None) -> tuple[LabelTable, Path]:
    """A CSV of labels, and the folder that its files' names are relative to.

    Args:
        path: of the CSV, from the current folder or from ``root``.
        root: the folder of images; None: none is given.

    Raises:
        DatasetError: there is no such folder; the CSV can't be read.
    """
    folder = None if root is None else root.expanduser()
    if folder is None or not folder.is_dir():
        raise DatasetError(
            f"{path}: names images relative to a folder, expected by --data-root; found {folder or 'none'}"
        )
    return read_label_table(folder / path if (folder / path).is_file() else path.expanduser()), folder


def given_rows(path: Path, root: Path | None, images: Sequence[str]) -> tuple[LabelTable, list[str]]:
    """A CSV of labels, and the name under which it has each of the images that a user names.

    Args:
        path: of the CSV, from the current folder or from ``root``.
        root: the folder that its files' names are relative to; None: the one that the CSV is in.
        images: what the images are called: paths, from the current folder.

    Raises:
        DatasetError: there is no such folder; the CSV can't be read, or hasn't all of the images.
    """
    path = path.expanduser()
    table, folder = (read_label_table(path), path.parent) if root is None else find_table(path, root)
    real = functools.cache(os.path.realpath)

    def place(path: str) -> tuple[str, str]:
        """By which a file is found, whatever link its folder is named by; the file itself may be a link."""
        return real(os.path.dirname(path)), os.path.basename(path)

    names = {place(str(folder / name)): name for name in table.rows}
    rows = [names.get(place(os.path.expanduser(image))) for image in images]
    missing = [image for image, row in zip(images, rows) if row is None]
    if missing:
        raise DatasetError(
            f"{missing[0]}: expected a line of this picture in {table.path}, whose names are relative to "
            f"{folder.resolve()}; found none"
            + (f", nor of {len(missing) - 1:,} more" if len(missing) > 1 else "")
            + "; leave the picture out, or give the folder that the names are relative to by --data-root"
        )
    return table, [row for row in rows if row is not None]


def network_labels(table: LabelTable, stated: object, num_outputs: int) -> tuple[str, ...]:
    """The names of a network's labels, in the order of its logits.

    Args:
        table: whose columns are these labels, in any order.
        stated: the names that the weights state; where they state none, the columns' order is the logits'.
        num_outputs: of the network.

    Raises:
        ConfigError: the columns are not the network's labels; the weights state more or fewer names than outputs.
    """
    if not isinstance(stated, list):
        if len(table.names) != num_outputs:
            raise ConfigError(
                f"{table.path}: expected {num_outputs} labels, as many as the network has outputs, found "
                f"{len(table.names)}: {_quoted(table.names)}"
            )
        said = "nothing says what the network's outputs stand for: taken in the order of the CSV's columns: %s"
        logging.getLogger("densezoo").warning(f"labels: {said}", _quoted(table.names))
        return table.names
    names = tuple(map(str, stated))
    if len(names) != num_outputs:
        raise ConfigError(
            f"{table.path}: expected a name for each of the network's {num_outputs} outputs, found {len(names)} in its "
            f"file: {_quoted(names)}; train or convert it anew, so that each has one"
        )
    unknown, missing = ([name for name in a if name not in b] for a, b in ((table.names, names), (names, table.names)))
    if unknown or missing:
        raise ConfigError(
            f"{table.path}: expected the network's labels, in any order"
            + (f"; without a column: {_quoted(missing)}" if missing else "")
            + (f"; none of the network's: {_quoted(unknown)}" if unknown else "")
        )
    return names


def warn_of_training_folder(rows: Sequence[str]) -> None:
    """Warn of images that lie below train/, where others don't: `densezoo test` measures on the others alone.

    Args:
        rows: names of images in a table of labels.
    """
    trained = sum(PurePosixPath(name).parts[0] in SPLIT_FOLDERS["train"] for name in set(rows))
    if trained:
        logging.getLogger("densezoo").warning(
            "warning: %d of %d images lie below train/, which densezoo test leaves out; name the others alone",
            trained,
            len(set(rows)),
        )


def in_order(table: LabelTable, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """{file of an image: indices of the labels that hold for it, in the order of the network's logits}.

    Args:
        table: of the labels, whose columns may be in another order.
        names: of the network's labels.
    """
    place = [names.index(name) for name in table.names]
    return {name: tuple(sorted(place[label] for label in labels)) for name, labels in table.rows.items()}


def labelled_images(table: LabelTable, root: Path, names: Sequence[str]) -> ImageSet:
    """The images of a table that are measured on: those below val/ where it has some to train on as well, else all.

    Args:
        table: of the labels.
        root: the folder of images.
        names: of the network's labels; ``label_sets`` counts in this order.

    Raises:
        DatasetError: a file isn't there; the table names images of several such folders.
    """
    images: ImageSet = table_images(root, table)
    by_name = in_order(table, names)
    sets = [by_name[name] for name in images.ids]
    images = replace(images, label_sets=sets, labels=[labels[0] if labels else -1 for labels in sets])
    folders = {name: PurePosixPath(name).parts[0] for name in images.ids}
    if not set(folders.values()) & set(SPLIT_FOLDERS["train"]):
        return images
    sides = [side for side in SPLIT_FOLDERS["test"] if side in folders.values()]
    if len(sides) != 1:
        beside = ", ".join(f"{side}/" for side in sides) or "no val/"
        raise DatasetError(
            f"{table.path}: names images below train/ and below {beside}; give a CSV of those to measure on alone"
        )
    chosen = [name for name in images.ids if folders[name] == sides[0]]
    logging.getLogger("densezoo").warning("images: the %d below %s/ of %d", len(chosen), sides[0], len(images))
    return part_of(images, chosen)


def _quoted(names: Sequence[str]) -> str:
    return some([*map(repr, names)])  # a label may hold commas
