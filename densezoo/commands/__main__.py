"""``densezoo COMMAND ...``: runs the command whose module in this folder has that name.

``densezoo test CONFIG CHECKPOINT`` does the same as ``python tools/test.py CONFIG CHECKPOINT``.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from densezoo import __version__
from densezoo.commands import options
from densezoo.commands.help_pages import row
from densezoo.errors import UnknownNameError
from densezoo.imports import end_without_collection

_SHARED = ("__main__", "help_pages", "options", "output", "values")  # modules of this folder that are no commands


def command_names() -> list[str]:
    """The names of all commands: the modules of this folder that are no _SHARED ones."""
    return sorted(entry.name for entry in pkgutil.iter_modules([str(_folder())]) if entry.name not in _SHARED)


def one_line(command: str) -> str:
    """What a command does: its module's docstring up to the first stop, colon or semicolon; the module isn't imported.

    Args:
        command: its name.
    """
    text = ast.get_docstring(ast.parse((_folder() / f"{command}.py").read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ").partition(":")[0].partition(";")[0].rstrip(".")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    Args:
        argv: the command's name and its arguments; None: those of this process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_listing())
        return 0
    if arguments[0] == "--version":
        print(f"densezoo {__version__}")
        return 0
    if argv is None:
        end_without_collection()
    name = arguments[0].replace("-", "_")
    if name not in command_names():
        print(f"error: {UnknownNameError('command', arguments[0], command_names())}", file=sys.stderr)
        return 1
    command = importlib.import_module(f"densezoo.commands.{name}")
    parser = command.make_parser()
    parser.prog = f"densezoo {name}"
    return options.run(command.run, parser, arguments[1:])


def _folder() -> Path:
    return Path(__file__).parent


def _listing() -> str:
    names = command_names()
    width = max(map(len, names))
    lines = [row(f"  {name:{width}}  {one_line(name)}") for name in names]
    usage = "usage: densezoo COMMAND ...\n       densezoo COMMAND --help\n       densezoo --version"
    return "\n".join([usage, "", "commands:", *lines])


if __name__ == "__main__":
    sys.exit(main())
