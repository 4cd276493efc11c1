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
from densezoo.commands.output import answer

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
    written = write_start(args.kind, args.path)
    then = NEXT[args.kind].format(path=args.path, folder=args.path.parent.parent)
    lines = [*(f"written: {path}" for path in written), f"next: edit it, then {then}"]
    answer(args, "\n".join(lines), {"written": written, "next": then})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
