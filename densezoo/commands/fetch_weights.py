"""Fetch the published weights of models into the cache, checked; prints a path a model.

python tools/fetch_weights.py densenet169.tv_in1k
python tools/fetch_weights.py densenet169.tv_in1k densenet201.tv_in1k --mirror /media/weights

The cache is DENSEZOO_HOME, or densezoo in the user's cache directory. A mirror has MODEL/FILE, as the cache's weights/
does, or FILE alone where the publisher states a hash. DENSEZOO_MIRRORS names more, spaces or commas between them.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options


def make_parser() -> ArgumentParser:
    """Its options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="of a model, or an alias (tools/list_models.py)")
    parser.add_argument("--mirror", action="append", default=[], help="base URL or folder to ask first; repeatable")
    return parser


def run(args: Namespace) -> None:
    """Fetch and say where the files are."""
    for name in args.names:
        print(api.fetch_weights(name, mirrors=args.mirror))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return options.run(run, make_parser(), argv)
