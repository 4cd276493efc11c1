"""What classes are called, in label order: from the files in ``classes/``, each of which names its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from densezoo.errors import ConfigError

EXPECTED = "a file of a name a line, a folder of class folders, or a dataset's name such as imagenet1k"
DIGITS = tuple(str(digit) for digit in range(10))


@cache
def imagenet_classes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The folder names of ImageNet's 1,000 classes ("n01440764"), and what they are called ("tench")."""
    folders, names = zip(*(line.split(" ", 1) for line in _lines("imagenet1k")))
    return folders, names


@cache
def cifar_classes(number: int) -> tuple[str, ...]:
    """The classes of CIFAR.

    Args:
        number: 10 or 100.
    """
    return _lines(f"cifar{number}")


def _lines(name: str) -> tuple[str, ...]:
    text = (Path(__file__).parent / "classes" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def read_class_names(path: Path) -> tuple[str, ...]:
    """Class names in the order of their labels, from a user's file or folder.

    Args:
        path: a text file of one name a line; or a folder whose folders are the classes, as training took them: sorted,
            or those below its ``train/``.

    Raises:
        ConfigError: there is no such file or folder, or it holds no names.
    """
    try:
        if path.is_dir():
            root = path / "train" if (path / "train").is_dir() else path
            names = tuple(sorted(each.name for each in root.iterdir() if each.is_dir()))
        else:
            names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: class names can't be read ({reason}); expected {EXPECTED}") from None
    if not names:
        raise ConfigError(f"{path}: no class names found; expected {EXPECTED}")
    return names
