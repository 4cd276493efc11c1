"""A folder with as many images as asked for: those of a dataset, repeated under other names."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from densezoo.data.labels import IMAGE_ENDINGS
from densezoo.data.layouts.given import named_images
from densezoo.errors import BenchmarkError, DatasetError

T = TypeVar("T")


def repeat_images(source: Path, number: int, folder: Path) -> Path:
    """Copy images of class folders until there are as many as asked for; return the folder of the copies.

    If there are more, those that are copied are spread over all of them, so that there are several classes.

    Args:
        source: a folder or an uncompressed tar, with class folders at any depth.
        number: of images.
        folder: where they go, as ``<class>/<number>_<name>``: every file is one of its own, so that nothing that is
            kept for a file serves another.

    Raises:
        BenchmarkError: there are no images.
    """
    try:
        images = named_images([source])
    except DatasetError:
        raise BenchmarkError(
            f"{source}: expected images in class folders ({', '.join(IMAGE_ENDINGS)}), found none"
        ) from None
    chosen, copies = spread_out(range(len(images)), number), folder / "images"
    for index, each in enumerate(itertools.islice(itertools.cycle(chosen), number)):
        path, content = PurePosixPath(images.ids[each]), images.read(each)
        assert isinstance(content, bytes)
        copy = copies / "val" / path.parent.name / f"{index // len(images):04d}_{path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    return copies


def spread_out(items: Sequence[T], number: int) -> Sequence[T]:
    """As many as asked for, at even distances; all, if there are no more.

    Args:
        items: in order.
        number: at most.
    """
    return [items[i * len(items) // number] for i in range(number)] if number < len(items) else items


def some_images(images: Path, number: int, folder: Path) -> Path:
    """Copy some images under the same names; return the folder of the copies.

    Args:
        images: of `repeat_images`.
        number: at most.
        folder: where they go.
    """
    paths = sorted(path for path in images.rglob("*") if path.is_file())
    for path in spread_out(paths, number):
        copy = folder / "images" / path.relative_to(images)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return folder / "images"


def image_id(name: str) -> str:
    """The class folder and the file name of an image, by which programs' predictions are compared.

    Args:
        name: path or id of the image, as a program calls it.
    """
    return "/".join(PurePosixPath(name).parts[-2:])
