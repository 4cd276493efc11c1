"""Check every file of weights in the cache anew: sizes, published hashes, and the sha256 recorded at its first use.

Not every publisher states a size or a hash: a line for each file says what it was held against.

densezoo verify_weights         # exit 1 if a file is wrong, naming each
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.paths import cache_folder


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    return options.make_parser(__doc__)


def run(args: Namespace) -> None:
    """Check the cache; print for each file what it was held against."""
    folder, checked = cache_folder() / "weights", api.verify_weights()
    files = {str(path.relative_to(folder)): against for path, against in checked.items()}
    lines = [f"{path}: {against}" for path, against in files.items()]
    lines.append(f"{len(files)} file{'s' if len(files) > 1 else ''} checked, and nothing is wrong")
    nothing = f"there is nothing to verify: no file of weights in {folder}; densezoo fetch_weights NAME fetches one"
    answer(args, "\n".join(lines) if files else nothing, {"folder": folder, "files": files})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
