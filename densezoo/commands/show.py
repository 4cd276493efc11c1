"""Show one model: its architecture, its files, every published and measured accuracy, how to load it.

densezoo show densenet121.tv_in1k
densezoo show DenseNet-161      # an architecture's name shows the model that it stands for, and names the others
"""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("name", help="of a model, or an alias (densezoo list_models)")
    return parser


def run(args: Namespace) -> None:
    """Print what is known of the model, folded to the width of the terminal where there is one."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    text = api.describe_model(args.name, width)
    answer(args, text, api.get_spec(text.partition("\n")[0]))  # it begins with the name that was meant


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
