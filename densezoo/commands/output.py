"""What a command answers on stdout: text, with ``--json`` one JSON document in its place, with ``--quiet`` nothing."""

from __future__ import annotations

import dataclasses
import json
from argparse import Namespace
from pathlib import Path


def answer(args: Namespace, text: str, data: object) -> None:
    """Print what a command found; called once in each run of a command.

    Args:
        args: the parsed arguments, with those of `densezoo.commands.options.make_parser`.
        text: for a person; empty: everything was told by `tell` already.
        data: the same for a program: JSON values, paths and dataclasses.
    """
    if args.json:
        print(json.dumps(data, indent=2, default=_plain))
    elif text:
        print(text)


def tell(args: Namespace, line: str) -> None:
    """Print a line of text while a command runs; with ``--json`` nothing, because `answer` holds it.

    Args:
        args: the parsed arguments.
        line: for a person.
    """
    if not args.json:
        print(line, flush=True)


def _plain(value: object) -> object:
    """A value that `json` doesn't know as one that it knows.

    Raises:
        TypeError: there is no such form of it.
    """
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
