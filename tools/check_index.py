#!/usr/bin/env python
"""Check the index: every field of every metafile, and every network's parameters and FLOPs, counted anew.

python tools/check_index.py            # exit 1 if anything is wrong
python tools/check_index.py other/model-index.yml
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import parser as command_line
from densezoo.paths import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("index", nargs="?", type=Path, default=ROOT / "model-index.yml", help="(default: densezoo's)")
    return command_line.run(check_index, parser, argv)


def check_index(args: Namespace) -> None:
    """Check and say how much was checked."""
    print(f"{api.check_index(args.index)} models checked: fields, parameters and FLOPs are right")


if __name__ == "__main__":
    sys.exit(main())
