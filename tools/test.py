#!/usr/bin/env python
"""Evaluate a checkpoint: top-1 and top-5 under a named protocol, or all of them, stored as JSON.

python tools/test.py CONFIG CHECKPOINT --data-root /data/imagenet
python tools/test.py converted.safetensors --dataset imagenet1k --data-root /data/imagenet
torchrun --nproc-per-node 2 tools/test.py CONFIG CHECKPOINT --data-root DIR
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import parser as command_line
from densezoo.results.agreement import check_expected
from densezoo.results.store import storing

OPTIONS = ["data_root", "labels", "class_map", "batch_size", "workers", "device", "launcher", "dataset"]
OPTIONS += ["model", "subset", "on_error", "out", "resume", "restart", "predictions"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("config", type=Path, nargs="?", help="what is run (default: what the checkpoint says)")
    parser.add_argument("checkpoint", type=Path, help=".pth, .pth.tar, .safetensors")
    command_line.add_evaluation_options(parser)
    command_line.add_test_options(parser)
    command_line.add_run_options(parser)
    return command_line.run(test, parser, argv)


def test(args: Namespace) -> None:
    """Evaluate, store, print."""
    results = api.evaluate_protocols(
        args.config and command_line.find_config(args.config),
        args.checkpoint,
        names=[args.protocol] if args.protocol else None,
        overrides=args.cfg_options,
        tta=args.tta,
        show_progress=True,
        **{name: getattr(args, name) for name in OPTIONS},
    )
    from densezoo.evaluation.distributed import is_main  # here, so that a misspelt name is refused without torch

    if is_main():
        print(api.report(results))
        for result in results:
            print(f"  {storing(args.out, result)}")
        if args.expect is not None:
            check_expected(results, args.expect, args.tolerance)


if __name__ == "__main__":
    sys.exit(main())
