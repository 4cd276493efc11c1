"""Write a commented start of a config, a protocol, or a metafile and its index.

densezoo new protocol mine.yml
densezoo new metafile zoo/metafiles/acme.yml    # and zoo/model-index.yml
densezoo check_index zoo/model-index.yml
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo.api.starts import STARTS, write_start
from densezoo.commands import options

#: What to do with each next.
NEXT = {
    "config": "densezoo train {path}",
    "metafile": "densezoo check_index {folder}/model-index.yml",
    "protocol": "densezoo predict MODEL IMAGE --protocol {path}",
}


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("kind", choices=sorted(STARTS))
    parser.add_argument("path", type=Path, help="of the file; one that is there is left alone")
    return parser


def run(args: Namespace) -> None:
    """Write the start; print the files and what to do next."""
    for path in write_start(args.kind, args.path):
        print(f"written: {path}")
    print(f"next: edit it, then {NEXT[args.kind].format(path=args.path, folder=args.path.parent.parent)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
