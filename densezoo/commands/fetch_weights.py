"""Fetch the published weights of models into the cache and check them; print the path of each.

densezoo fetch_weights densenet169.tv_in1k
densezoo fetch_weights densenet169.tv_in1k densenet201.tv_in1k --mirror /media/weights

The cache is DENSEZOO_HOME, or densezoo in the user's cache directory. A mirror has MODEL/FILE, as the cache's weights/
does, or FILE alone if the publisher states a hash. DENSEZOO_MIRRORS lists more, separated by spaces or commas.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer, tell


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="of a model, or an alias (densezoo list_models)")
    parser.add_argument("--mirror", action="append", default=[], help="base URL or folder to ask first; repeatable")
    return parser


def run(args: Namespace) -> None:
    """Fetch the files and print their paths."""
    paths = {}
    for name in args.names:
        paths[name] = api.fetch_weights(name, mirrors=args.mirror)
        tell(args, str(paths[name]))
    answer(args, "", paths)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
