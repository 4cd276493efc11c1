"""Check every file of weights in the cache anew: sizes, published hashes, and the sha256 recorded at its first use.

python tools/verify_weights.py         # exit 1 if a file is wrong, naming each
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    return options.make_parser(__doc__)


def run(args: Namespace) -> None:
    """Check the cache; print how many files were checked."""
    print(f"{api.verify_weights()} files checked: each is what it was published as, and what it was at its first use")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
