"""List the models of the index.

densezoo list_models 'densenet1*'
densezoo list_models DenseNet-121 densenet161 --sort -top1
densezoo list_models --where 'top1 > 76 and params < 10e6' --sort -top1
densezoo list_models --where "dataset == 'imagenet1k' and protocol == 'timm'" --columns name,top1,measured_top1

A pattern is one of names, aliases and architectures; case, separators and a slip in a word are forgiven, a number is
not. A model has one line, with one of its accuracies: the first for which --where holds. Where that names neither
dataset nor protocol, it is the one under the weights' own protocol. Where no model matches, --json and --csv print an
empty list or the header alone, and the exit status is 1. Fields for --where, --sort and --columns:
{fields}
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.api.index import explain_empty
from densezoo.commands import options
from densezoo.index.select import FIELDS, names_in


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    width = max(map(len, FIELDS))
    fields = "\n".join(f"  {name:{width}} {field.text}" for name, field in FIELDS.items())
    parser = options.make_parser((__doc__ or "").format(fields=fields))
    parser.minus = ("--sort",)
    parser.add_argument("patterns", nargs="*", metavar="pattern", help="shell pattern of names (default: all)")
    parser.add_argument("--where", metavar="EXPRESSION", help="only models for which it holds")
    parser.add_argument("--sort", metavar="FIELD", default="name", help="-FIELD: high to low (default: %(default)s)")
    parser.add_argument("--reverse", action="store_true", help="sort the other way round")
    parser.add_argument("--columns", metavar="FIELD,...", type=lambda text: text.split(","), help="what to show")
    parser.forms.add_argument("--csv", action="store_true", help="comma-separated values")
    return parser


def run(args: Namespace) -> None:
    """Print a line for each model."""
    from densezoo.index import listing  # here, because rich takes longer to import than the index to load

    patterns = args.patterns or ["*"]
    by = args.sort.removeprefix("-")
    falling = args.sort.startswith("-") != args.reverse
    models = api.find_models(patterns, where=args.where, sort=f"-{by}" if falling else by)
    if args.json:
        print(listing.as_json(models, args.columns or tuple(FIELDS)))
    elif args.csv:
        print(listing.as_csv(models, args.columns or tuple(FIELDS)), end="")
    elif models:
        asked = [by, *(names_in(args.where) if args.where else ())]
        droppable = [] if args.columns else [name for name in listing.DROPPABLE if name not in asked]
        listing.print_table(models, args.columns or listing.columns_for(asked), droppable)
    if problem := explain_empty(patterns, args.where):
        raise problem


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
