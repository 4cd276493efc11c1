"""Evaluate the small DenseNet that ships with densezoo on scikit-learn's digits, store and compare the result."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer, tell
from densezoo.paths import ROOT, relative_to_root
from densezoo.results.store import compare_with, storing, write_result
from densezoo.results.summary import summary

OUT = Path("work_dirs/demo")
SHIPPED = ROOT / "results"  # in a wheel this is another folder than RESULTS
NEXT = """
next:
  {python} {tools}/list_models.py                      every model of the index
  {python} {tools}/test.py configs/densenet169.py CHECKPOINT.pth --data-root IMAGENET
                                                             the same for your checkpoint and data
  {python} {tools}/train.py {config}
                                                             train this network anew, half a minute"""


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    return options.make_parser(__doc__)


def run(args: Namespace) -> None:
    """Evaluate, print, store in the current folder, compare with the result that ships with densezoo."""
    config, checkpoint = api.DEMO
    tell(args, f"evaluating {relative_to_root(checkpoint)} on scikit-learn's digits")
    result = api.evaluate_checkpoint(config, checkpoint, workers=0)
    path, compared = write_result(OUT, result), compare_with(SHIPPED, result)
    python, tools = (_from_here(path) for path in (Path(sys.executable), ROOT / "tools"))
    then = NEXT.format(python=python, tools=tools, config=relative_to_root(config))
    text = f"{summary(result)}\n  {storing(OUT, result)}\n  {compared}\n{then}"
    answer(args, text, {"result": result, "stored": path, "compared": compared})


def _from_here(path: Path) -> str:
    """The path, relative to the current folder if it is inside."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
