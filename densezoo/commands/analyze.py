"""Every measure of a file of predictions, computed anew; with a second file: is the first run really better?

python tools/test.py CONFIG CHECKPOINT --predictions a.parquet
python tools/analyze.py a.parquet b.parquet --plot reliability.png
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options


def make_parser() -> ArgumentParser:
    """Its options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("file", type=Path, help="parquet file of tools/test.py --predictions")
    parser.add_argument("other", type=Path, nargs="?", help="another one over the same images, compared by McNemar")
    parser.add_argument("--topk", type=int, nargs="+", default=[1, 5], metavar="K", help="default: 1 5")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="reliability diagram of the first: .png, .pdf, .svg")
    return parser


def run(args: Namespace) -> None:
    """Compute and print."""
    print(api.analyze(args.file, args.other, topk=args.topk, plot=args.plot))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return options.run(run, make_parser(), argv)
