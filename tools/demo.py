#!/usr/bin/env python
"""The main job on what ships with densezoo: evaluate a small DenseNet on scikit-learn's digits, store, make tables."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from densezoo import api, command_line
from densezoo.paths import relative_to_root
from densezoo.results.store import write_result
from densezoo.results.summary import summary

NEXT = """
next:
  .venv/bin/python tools/list_models.py                      every model of the index
  .venv/bin/python tools/test.py configs/densenet169.py CHECKPOINT.pth --data-root IMAGENET
                                                             the same for your checkpoint and data
  .venv/bin/python tools/train.py {config}
                                                             train this network anew, half a minute
  README.md                                                  the tables, now with this result"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command_line.run(demo, command_line.make_parser(__doc__), argv)


def demo(args: Namespace) -> None:
    """Evaluate, print, store, regenerate."""
    config, checkpoint = api.DEMO
    print(f"evaluating {relative_to_root(checkpoint)} on scikit-learn's digits")
    result = api.evaluate_checkpoint(config, checkpoint, workers=0)
    print(summary(result))
    print(f"  stored: {relative_to_root(write_result(api.RESULTS, result))}")
    for path in api.make_tables():
        print(f"  regenerated the tables of {relative_to_root(path)}")
    print(NEXT.format(config=relative_to_root(config)))


if __name__ == "__main__":
    sys.exit(main())
