#!/usr/bin/env python
"""Evaluate a checkpoint: top-1 and top-5 under a named protocol, or all of them, stored as JSON.

python tools/test.py CONFIG CHECKPOINT --data-root /data/imagenet
torchrun --nproc-per-node 2 tools/test.py CONFIG CHECKPOINT --data-root DIR --launcher pytorch
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api, command_line
from densezoo.data.protocols import PROTOCOLS
from densezoo.results.store import result_path
from densezoo.results.summary import matrix, summary

OPTIONS = ["data_root", "labels", "class_map", "batch_size", "workers", "device", "launcher"]
OPTIONS += ["on_error", "out", "resume", "predictions"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("checkpoint", type=Path, help=".pth, .pth.tar, .safetensors")
    parser.add_argument("--protocol", help=f"preprocessing (default: the weights' own): all, {', '.join(PROTOCOLS)}")
    parser.add_argument("--labels", type=Path, help="list of labels of a flat folder or tar, such as Caffe's val.txt")
    parser.add_argument("--class-map", type=Path, help="labels of class folders: lines of 'folder' or 'folder label'")
    parser.add_argument("--batch-size", type=int, default=64, help="images a step and process (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=api.RESULTS, help="folder of results (default: %(default)s)")
    parser.add_argument("--on-error", choices=("stop", "count-wrong"), default="stop", help="images that can't be read")
    parser.add_argument("--resume", action="store_true", help="go on from the state that a killed run left in --out")
    parser.add_argument("--predictions", type=Path, metavar="FILE.parquet", help="one row an image (tools/analyze.py)")
    command_line.add_run_options(parser)
    return command_line.run(test, parser, argv)


def test(args: Namespace) -> None:
    """Evaluate, store, print."""
    from densezoo.evaluation.distributed import is_main  # here, so that --help needs no torch

    results = api.evaluate_protocols(
        command_line.find_config(args.config),
        args.checkpoint,
        names=[args.protocol] if args.protocol else None,
        overrides=args.cfg_options,
        show_progress=True,
        **{name: getattr(args, name) for name in OPTIONS},
    )
    if is_main():
        print(summary(results[0]) if len(results) == 1 else matrix(results))
        for result in results:
            print(f"  stored: {result_path(args.out, result)}")


if __name__ == "__main__":
    sys.exit(main())
