"""Print a model's card in Markdown.

densezoo card densenet121.tv_in1k
densezoo card densenet121.tv_in1k --hub > README.md   # with the metadata that huggingface.co reads
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("name", help="of a model, or an alias (densezoo list_models)")
    parser.add_argument("--hub", action="store_true", help="put the YAML before it that huggingface.co reads")
    return parser


def run(args: Namespace) -> None:
    """Print the card."""
    card = api.model_card(args.name, hub=args.hub)
    answer(args, card.removesuffix("\n"), {"card": card})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
