"""Train what a config describes; ends with WORK_DIR/CONFIG.safetensors.

python tools/train.py configs/digits/densenet_bc_22_8_digits.py
python tools/train.py CONFIG --data-root DIR --resume
torchrun --nproc-per-node 4 tools/train.py CONFIG --data-root DIR --launcher pytorch
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.api.names import check_names
from densezoo.commands import options


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--work-dir", type=Path, help="logs and checkpoints (default: work_dirs/CONFIG)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last whole epoch of the run in WORK_DIR; on a CPU with --workers 0 in one process to the "
        "same bits as without the interruption, otherwise with other random numbers in the augmentation",
    )
    again.add_argument("--overwrite", action="store_true", help="remove the run in WORK_DIR and begin anew")
    options.add_run_options(parser)
    return parser


def run(args: Namespace) -> None:
    """Train and print the checkpoint's path."""
    config = options.find_config(args.config)
    check_names(config, overrides=args.cfg_options, device=args.device)  # before torch is imported
    checkpoint = api.train_config(
        config,
        data_root=args.data_root,
        work_dir=args.work_dir,
        workers=2 if args.workers is None else args.workers,
        device=args.device,
        launcher=args.launcher,
        overrides=args.cfg_options,
        resume=args.resume,
        overwrite=args.overwrite,
    )
    print(f"trained: {checkpoint}\nevaluate it: python tools/test.py {args.config} {checkpoint}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
