#!/usr/bin/env python
"""Check every file of weights in the cache anew: sizes, published hashes, and the sha256 recorded at its first use.

python tools/verify_weights.py         # exit 1 if a file is wrong, naming each
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import parser as command_line


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command_line.run(verify_weights, command_line.make_parser(__doc__), argv)


def verify_weights(args: Namespace) -> None:
    """Check and say how much was checked."""
    print(f"{api.verify_weights()} files checked: each is what it was published as, and what it was at its first use")


if __name__ == "__main__":
    sys.exit(main())
