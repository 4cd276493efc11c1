"""What classes are called, in label order: from the files in ``classes/``, each of which names its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

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
