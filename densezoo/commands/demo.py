"""The main job on what ships with densezoo: evaluate a small DenseNet on scikit-learn's digits, compare, store."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.paths import ROOT, relative_to_root
from densezoo.results.store import compare_with, storing, write_result
from densezoo.results.summary import summary

OUT = Path("work_dirs/demo")
SHIPPED = ROOT / "results"  # in a wheel another folder than that of own results
NEXT = """
next:
  {python} {tools}/list_models.py                      every model of the index
  {python} {tools}/test.py configs/densenet169.py CHECKPOINT.pth --data-root IMAGENET
                                                             the same for your checkpoint and data
  {python} {tools}/train.py {config}
                                                             train this network anew, half a minute"""


def make_parser() -> ArgumentParser:
    """Its options."""
    return options.make_parser(__doc__)


def run(args: Namespace) -> None:
    """Evaluate, print, store in the current folder, compare with the result that ships."""
    config, checkpoint = api.DEMO
    print(f"evaluating {relative_to_root(checkpoint)} on scikit-learn's digits")
    result = api.evaluate_checkpoint(config, checkpoint, workers=0)
    write_result(OUT, result)
    print(f"{summary(result)}\n  {storing(OUT, result)}\n  {compare_with(SHIPPED, result)}")
    python, tools = (_from_here(path) for path in (Path(sys.executable), ROOT / "tools"))
    print(NEXT.format(python=python, tools=tools, config=relative_to_root(config)))


def _from_here(path: Path) -> str:
    """The path relative to the current folder where it lies in it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return options.run(run, make_parser(), argv)
