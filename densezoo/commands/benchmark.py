"""Measure, side by side and interleaved, and store as results/benchmarks/<what>.json.

python tools/benchmark.py --what formats densenet121.t7 densenet161.pth
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.api.names import check_names
from densezoo.commands import options
from densezoo.formats.names import formats_read
from densezoo.paths import RESULTS


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("--what", choices=["formats"], default="formats", help="formats: loading checkpoint files")
    parser.add_argument(
        "files", type=Path, nargs="+", help=f"checkpoint files ({formats_read()}); Torch7's are compared with torchfile"
    )
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each (default: %(default)s)")
    options.add_backend_options(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "benchmarks", help="folder (default: %(default)s)")
    return parser


def run(args: Namespace) -> None:
    """Measure, print a line for each file, store."""
    check_names(backend=args.backend, precision=args.precision)
    path, rows = api.benchmark_formats(args.files, rounds=args.rounds, folder=args.out)
    for row in rows:
        ratio = f", torchfile takes {row['ratio']:.1f} x" if row["ratio"] else ""
        print(f"{row['file']}: {row['mib']:.1f} MiB, median {row['seconds']:.3f} s{ratio}")
    print(f"stored: {path}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
