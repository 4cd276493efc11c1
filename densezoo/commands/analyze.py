"""Compute every measure of a file of predictions; with a second file, test whether one run is better than the other.

densezoo test CONFIG CHECKPOINT --predictions a.parquet
densezoo analyze a.parquet b.parquet --plot reliability.png --confusion confusion.png
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.files import PLOT


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("file", type=Path, help="parquet file of densezoo test --predictions")
    parser.add_argument("other", type=Path, nargs="?", help="another one over the same images, compared by McNemar")
    parser.add_argument("--topk", type=int, nargs="+", metavar="K", help="default: 1 5")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help=f"reliability diagram of the first: {', '.join(PLOT)}"
    )
    parser.add_argument("--confusion", type=Path, metavar="FILE", help="which classes it takes for which, as a diagram")
    options.add_class_names(parser)
    options.add_theme(parser)
    return parser


def run(args: Namespace) -> None:
    """Compute the measures and print them."""
    given = {name: getattr(args, name) for name in ("topk", "plot", "confusion", "class_names", "theme")}
    from densezoo.api.analysis import analysis  # here, because it imports torch

    report = analysis(args.file, args.other, **given)
    answer(args, report.text, report.values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
