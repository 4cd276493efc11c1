"""Check the index: every field of every metafile, and every network's parameters and FLOPs, counted anew.

densezoo check_index            # exit 1 if anything is wrong
densezoo check_index other/model-index.yml
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.paths import INDEX, private_index


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("index", nargs="?", type=Path, help="(default: the private one, or else densezoo's)")
    return parser


def run(args: Namespace) -> None:
    """Check the index; print how many models were checked."""
    checked = api.check_index(args.index or private_index() or INDEX)
    answer(args, f"{checked} models checked: fields, parameters and FLOPs are right", {"models": checked})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
