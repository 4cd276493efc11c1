#!/usr/bin/env python
"""Mutate checkpoint files and read them: each has to load or end in a DensezooError, within 1 s of CPU and 4 x the
file + 64 MiB. A quarter of the mutations make the file larger: holes of gigabytes, parts or brackets again and again.

python tools/fuzz_formats.py tests/fixtures/formats --rounds 10000 --seed 1
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.errors import DensezooError
from densezoo.formats.fuzzing import try_one


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = options.make_parser(__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="checkpoint files, or folders of them")
    parser.add_argument("--rounds", type=int, default=1000, help="mutations of each file (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return options.run(fuzz, parser, argv)


def fuzz(args: Namespace) -> None:
    """Print a line a file; raise what breaks a rule, with the file and the seed that repeats it."""
    files = [file for path in args.files for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    for path in (file for file in files if file.is_file()):
        try:
            api.load_checkpoint(path)  # loads it, and torch, before anything is measured
        except DensezooError:
            if path in args.files:
                raise
            continue  # something else in a folder
        print(path, end=" ", flush=True)
        loaded = sum(try_one(path, args.seed + i, api.load_checkpoint) for i in range(args.rounds))
        print(f"{loaded} loaded, {args.rounds - loaded} refused")


if __name__ == "__main__":
    sys.exit(main())
