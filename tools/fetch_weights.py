#!/usr/bin/env python
"""Fetch the published weights of models into the cache, checked; prints a path a model.

python tools/fetch_weights.py densenet169.tv_in1k
python tools/fetch_weights.py densenet169.tv_in1k densenet201.tv_in1k --mirror /media/weights

The cache is DENSEZOO_HOME, or densezoo in the user's cache directory. A mirror has MODEL/FILE, as the cache's weights/
does, or FILE alone where the publisher states a hash. DENSEZOO_MIRRORS names more, spaces or commas between them.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import parser as command_line


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="of a model, or an alias (tools/list_models.py)")
    parser.add_argument("--mirror", action="append", default=[], help="base URL or folder to ask first; repeatable")
    return command_line.run(fetch_weights, parser, argv)


def fetch_weights(args: Namespace) -> None:
    """Fetch and say where the files are."""
    for name in args.names:
        print(api.fetch_weights(name, mirrors=args.mirror))


if __name__ == "__main__":
    sys.exit(main())
