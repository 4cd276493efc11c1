"""Write the zoo as a static site: models, accuracies, a plot, why they differ, a page a model.

densezoo site OUT
densezoo site OUT --open    # show it in the browser
"""

from __future__ import annotations

import webbrowser
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("folder", type=Path, metavar="OUT", help="folder to write, new, empty or an older site")
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="stored results (default: those that ship with densezoo, and yours)"
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    return parser


def run(args: Namespace) -> None:
    """Write the site and print where its first page is."""
    page = api.make_site(args.folder, args.results)
    answer(args, f"written: {page}", {"written": page})
    if args.open:
        webbrowser.open(page.absolute().as_uri())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
