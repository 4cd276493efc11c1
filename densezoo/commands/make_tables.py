"""Regenerate tables, pages, cards and pictures of README.md and docs/ from the index and the stored results.

densezoo make_tables            # write
densezoo make_tables --check    # exit 1 if one of them is stale
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if one is stale")
    return parser


def run(args: Namespace) -> None:
    """Write or check the tables and print which documents changed."""
    changed = api.make_tables(check=args.check)
    text = "\n".join(f"regenerated: {path}" for path in changed) or "the tables are up to date"
    answer(args, text, {"regenerated": changed})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
