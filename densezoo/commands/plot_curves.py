"""Draw loss, accuracy and learning rate of a training.

densezoo plot_curves work_dirs/mine -o curves.svg --theme dark
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("folder", type=Path, help="of a run of densezoo train")
    options.add_diagram(parser, "curves.png")
    return parser


def run(args: Namespace) -> None:
    """Draw, and print where."""
    written = api.plot_curves(args.out, args.folder, theme=args.theme)
    answer(args, f"written: {written}", {"written": written})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
