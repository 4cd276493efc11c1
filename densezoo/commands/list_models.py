"""List the models of the index.

python tools/list_models.py 'densenet1*'
python tools/list_models.py --where 'top1 > 76 and params < 10e6' --sort top1 --reverse
python tools/list_models.py --where "dataset == 'cifar10+'" --columns name,top1,config

top1 and top5 are what is published under the weights' own protocol. If no model matches, --json and --csv print an
empty list or the header alone, and the exit status is 1. Fields for --where, --sort and --columns:
{fields}
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.errors import QueryError
from densezoo.index.select import FIELDS


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    fields = "\n".join(f"  {name:12} {field.text}" for name, field in FIELDS.items())
    parser = options.make_parser((__doc__ or "").format(fields=fields))
    parser.add_argument("pattern", nargs="?", default="*", help="shell pattern of names and aliases (default: all)")
    parser.add_argument("--where", metavar="EXPRESSION", help="only models that satisfy it")
    parser.add_argument("--sort", metavar="FIELD", default="name", help="(default: %(default)s)")
    parser.add_argument("--reverse", action="store_true", help="sort from high to low")
    parser.add_argument("--columns", metavar="FIELD,...", type=lambda text: text.split(","), help="what to show")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="a list of objects")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="comma-separated values")
    return parser


def run(args: Namespace) -> None:
    """Print a line for each model."""
    from densezoo.index import listing  # here, because rich takes longer to import than the index to load

    names = api.list_models(args.pattern, where=args.where, sort=f"-{args.sort}" if args.reverse else args.sort)
    specs = [api.get_spec(name) for name in names]
    columns = {"columns": args.columns} if args.columns else {}
    if args.form == "json":
        print(listing.as_json(specs, **columns))
    elif args.form == "csv":
        print(listing.as_csv(specs, **columns), end="")
    elif specs:
        listing.print_table(specs, **columns)
    if not specs:
        query = f"{args.pattern!r}" + (f" and {args.where}" if args.where else "")
        raise QueryError(f"no model matches {query}; densezoo has the DenseNet family, listed without a pattern")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
