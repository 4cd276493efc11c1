"""A folder with as many images as asked for: those of a dataset, repeated under other names."""

from __future__ import annotations

import itertools
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from densezoo.errors import BenchmarkError

_IMAGES = (".jpeg", ".jpg", ".png")


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
    if source.is_file():
        unpacked = folder / "unpacked"
        with tarfile.open(source, "r:") as archive:
            archive.extractall(unpacked, filter="data")
        source = unpacked
    sources = sorted(path for path in source.rglob("*") if path.suffix.lower() in _IMAGES)
    if not sources:
        raise BenchmarkError(f"{source}: expected images in class folders ({', '.join(_IMAGES)}), found none")
    images = folder / "images" / "val"
    chosen = spread_out(sources, number)
    for index, path in enumerate(itertools.islice(itertools.cycle(chosen), number)):
        copy = images / path.parent.name / f"{index // len(sources):04d}_{path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return images.parent


def spread_out(paths: Sequence[Path], number: int) -> Sequence[Path]:
    """As many as asked for, at even distances; all, if there are no more.

    Args:
        paths: in order.
        number: at most.
    """
    return [paths[i * len(paths) // number] for i in range(number)] if number < len(paths) else paths


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
