"""Draw top-1 against parameters, multiply-adds and measured speed, with the models that nothing beats in both.

densezoo plot_accuracy -o accuracy.png
densezoo plot_accuracy densenet121* --against params --dataset cifar10 --theme dark
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.results.pareto import COSTS


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("pattern", nargs="*", default=["*"], help="of names: 'densenet*' (default: all)")
    parser.add_argument("--dataset", default="imagenet1k", help="of the accuracies (default: %(default)s)")
    costs = ", ".join(COSTS)
    parser.add_argument(
        "--against", nargs="+", metavar="COST", default=[*COSTS], help=f"a diagram each of {costs} (default: all)"
    )
    parser.add_argument("--where", metavar="EXPRESSION", help="such as 'params < 30e6'")
    options.add_diagram(parser, "accuracy.png")
    return parser


def run(args: Namespace) -> None:
    """Draw, and print where."""
    given = {name: getattr(args, name) for name in ("dataset", "against", "where", "theme")}
    written = api.plot_accuracy(args.out, args.pattern, **given)
    answer(args, f"written: {written}", {"written": written})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
