"""Draw how strongly each layer reads each earlier one: figure 5 of the DenseNet paper, of any weights.

densezoo plot_feature_reuse densenet121.tv_in1k -o reuse.png
densezoo plot_feature_reuse CONFIG.py CHECKPOINT
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    options.add_model(parser)
    parser.add_argument("checkpoint", nargs="?", metavar="CHECKPOINT", help="of a config")
    options.add_diagram(parser, "feature_reuse.png")
    return parser


def run(args: Namespace) -> None:
    """Draw, and print where."""
    model = str(options.find_config(Path(args.model))) if args.model.endswith(".py") else args.model
    written = api.plot_feature_reuse(args.out, model, args.checkpoint, theme=args.theme)
    answer(args, f"written: {written}", {"written": written})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
