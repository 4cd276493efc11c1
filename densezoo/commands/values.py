"""What options take: the text of a command line -> a value, or an error that says what was expected."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def count(text: str) -> int:
    """A whole number of 0 or more.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def positive(text: str) -> int:
    """A whole number of 1 or more.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if count(text) == 0:
        raise argparse.ArgumentTypeError("0 is too few; expected 1 or more")
    return int(text)


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them.

    Raises:
        ArgumentTypeError: one is none, or not finite.
    """
    try:
        values = tuple(float(number) for number in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(math.isfinite(number) for number in values):
        raise argparse.ArgumentTypeError(f"{text!r} is no number or numbers with commas, such as 0.485,0.456,0.406")
    return values


def key_value(text: str) -> str:
    """The text itself, which `densezoo.commands.options.KeyValues` then splits.

    Raises:
        ArgumentTypeError: it has no "=".
    """
    if not text.partition("=")[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE, such as model.drop_rate=0.1")
    return text


def names(text: str) -> list[str]:
    """Names with commas between them."""
    return [name for name in text.split(",") if name]


def named_path(text: str) -> tuple[str, Path]:
    """(name, absolute path) of ``NAME=PATH``.

    Raises:
        ArgumentTypeError: one of the two is missing.
    """
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH, such as imagenet1k=/data/imagenet")
    return name, absolute(path)


def absolute(path: str) -> Path:
    """The absolute path, which is the same file in a process with another working folder."""
    return Path(path).expanduser().resolve()
