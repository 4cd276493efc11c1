"""Print a protocol as a commented YAML file: the start of one of your own.

densezoo show_protocol torchvision > mine.yml
densezoo test CONFIG CHECKPOINT --data-root DIR --protocol mine.yml
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo.api.starts import INTRODUCTION
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.protocols import get_protocol
from densezoo.protocols.own import MARK
from densezoo.protocols.text import protocol_text


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("name", help="of a protocol (docs/protocols.md), or a YAML file of one")
    return parser


def run(args: Namespace) -> None:
    """Print the protocol."""
    protocol = get_protocol(args.name)
    base, mark, _ = protocol.name.partition(MARK)
    text = protocol_text(protocol, base if mark else f"my_{base}", INTRODUCTION)
    answer(args, text.removesuffix("\n"), protocol)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
