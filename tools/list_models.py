#!/usr/bin/env python
"""List the models of the index.

python tools/list_models.py
python tools/list_models.py 'densenet1*'
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from densezoo import api, command_line


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("pattern", nargs="?", default="*", help="shell pattern (default: all)")
    return command_line.run(list_models, parser, argv)


def list_models(args: Namespace) -> None:
    """Print a line a model."""
    table = Table(box=None, header_style="bold")
    for column in ("model", "parameters", "protocol", "config"):
        table.add_column(column, justify="right" if column == "parameters" else "left", overflow="fold")
    for spec in map(api.get_spec, api.list_models(args.pattern)):
        table.add_row(spec.name, f"{spec.num_params:,}", spec.protocol, spec.config)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
