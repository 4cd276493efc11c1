"""Images with several labels each, as a CSV says: a header ``file,LABEL,...``, then an image a line, 0 or 1 a label."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from densezoo.data.labels import IMAGE_ENDINGS, is_image
from densezoo.data.layouts.folder import FolderImages
from densezoo.errors import DatasetError
from densezoo.types.architecture import MAX_CHANNELS

NO_LABEL = -1  # in ``labels`` of an image without a label; ``label_sets`` has what holds


@dataclass(frozen=True)
class LabelTable:
    """A CSV of labels, read.

    Args:
        path: the file.
        names: of the labels, in the order of its columns.
        rows: {file of an image, relative to the folder of images: indices of the labels that hold for it, ascending}.
    """

    path: Path
    names: tuple[str, ...]
    rows: dict[str, tuple[int, ...]]


def read_label_table(path: Path) -> LabelTable:
    """Read a CSV of labels; anyone's, so that nothing in it is taken for granted.

    Args:
        path: the file, UTF-8.

    Raises:
        DatasetError: it can't be read, or a line is not what is expected; names the line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = _lines(path, file)
            names = _names(path, *next(lines, (1, [])))
            rows: dict[str, tuple[int, ...]] = {}
            for number, cells in lines:
                name = _file(path, number, cells, names)
                if name in rows:
                    raise DatasetError(f"{path}, line {number}: {name} a second time; leave one line")
                rows[name] = _labels(path, number, cells[1:], names)
    except OSError as error:
        raise DatasetError(f"{path}: can't be read ({error.strerror}); expected a CSV of labels") from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: no UTF-8 at byte {error.start:,}; save the CSV as UTF-8") from None
    if not rows:
        raise DatasetError(f"{path}: no line after its header; expected one an image")
    return LabelTable(path, names, rows)


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """(number of the line at which a row ends, its cells) of every row that isn't empty."""
    reader = csv.reader(file, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line {reader.line_num}: no CSV ({error}); expected cells that commas part"
        ) from None


def _names(path: Path, number: int, cells: Sequence[str]) -> tuple[str, ...]:
    """The labels that a header names."""
    names = tuple(cells[1:])
    expected = f"{path}, line {number}: expected a header 'file,LABEL,...'"
    if not names:
        raise DatasetError(f"{expected}, found {','.join(cells)[:80]!r}")
    if len(names) > MAX_CHANNELS:
        raise DatasetError(f"{expected} with at most {MAX_CHANNELS:,} labels, found {len(names):,}")
    if is_image(cells[0]) or set(names) <= {"0", "1"}:
        raise DatasetError(f"{expected}, found a line of an image; add the header")
    twice = [name for name, count in Counter(names).items() if count > 1 or not name]
    if twice:
        raise DatasetError(f"{expected}, found {f'{twice[0]!r} twice' if twice[0] else 'a label without a name'}")
    return names


def _file(path: Path, number: int, cells: Sequence[str], names: Sequence[str]) -> str:
    """The image's file of a row, below the folder of images."""
    if len(cells) != len(names) + 1:
        raise DatasetError(
            f"{path}, line {number}: expected {len(names) + 1} cells, as the header has, found {len(cells)}; quote a "
            "name with a comma in it"
        )
    name = PurePosixPath(cells[0])
    if name.is_absolute() or ".." in name.parts or "\0" in cells[0] or not cells[0]:
        raise DatasetError(f"{path}, line {number}: {cells[0]!r} is no file below the folder of images")
    if not is_image(cells[0]):
        raise DatasetError(f"{path}, line {number}: {cells[0]!r} is no image; expected {', '.join(IMAGE_ENDINGS)}")
    return name.as_posix()


def _labels(path: Path, number: int, cells: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    for name, cell in zip(names, cells):
        if cell not in ("0", "1"):
            raise DatasetError(
                f"{path}, line {number}: {name!r} is {cell!r}; expected 0 or 1 (leave out an image if it isn't known)"
            )
    return tuple(i for i, cell in enumerate(cells) if cell == "1")


def table_images(root: Path, table: LabelTable) -> FolderImages:
    """The images of a table, ordered by their files' names.

    Args:
        root: the folder of images.
        table: names files below it.

    Raises:
        DatasetError: a file isn't there; names the first and says how many.
    """
    names = sorted(table.rows)
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        raise DatasetError(
            f"{table.path}: {missing[0]} is not in {root}"
            + (f", nor are {len(missing) - 1:,} others" if len(missing) > 1 else "")
            + "; expected names relative to that folder"
        )
    sets = [table.rows[name] for name in names]
    first = [labels[0] if labels else NO_LABEL for labels in sets]
    return FolderImages(str(root), names, first, [str(root / name) for name in names], label_sets=sets)
