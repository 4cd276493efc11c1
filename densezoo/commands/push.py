"""Put a network on huggingface.co: weights, card, hashes, and the config.json by which timm loads it.

densezoo push model.pth me/my_model --license mit
densezoo push work_dirs/mine/mine.safetensors me/mine --private
densezoo predict hf-hub:me/my_model picture.jpg
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
    parser.add_argument("model", type=Path, metavar="MODEL", help="name of the index, or a checkpoint file")
    parser.add_argument("repo", metavar="OWNER/NAME", help="of the repository; it is made if need be")
    parser.add_argument("--private", action="store_true", help="a new repository is seen by its owner alone")
    parser.add_argument("--no-timm", action="store_true", help="write no config.json: timm can't build every network")
    add_sharing_options(parser)
    return parser


def add_sharing_options(to: ArgumentParser) -> None:
    """Add the options of every command that shares weights."""
    to.add_argument("--license", metavar="NAME", help="of the weights, as huggingface.co names it: mit, apache-2.0")
    to.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="of stored results; those of this very file are shared (default: results/ beside it and here)",
    )
    options.add_statements(to)


def run(args: Namespace) -> None:
    """Push; print the commit's address and which results went with it."""
    source, _ = options.find_weights(args.model)
    results = api.stored_results(source, args.results)
    address = api.push_to_hub(
        source,
        args.repo,
        private=args.private,
        license=args.license,
        results=results,
        for_timm=not args.no_timm,
        **(args.options or {}),
    )
    named = [f"{result.dataset}/{result.protocol_label}" for result in results]
    shown = f"pushed: {address}\nresults: {', '.join(named) or 'none was measured of this file'}"
    answer(args, f"{shown}\nnext: densezoo predict hf-hub:{args.repo} IMAGE", {"pushed": address, "results": named})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
