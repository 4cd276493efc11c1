"""Train what a config describes; ends with WORK_DIR/CONFIG.safetensors, its accuracy, curves and a model card.

densezoo train configs/digits/densenet_bc_22_8_digits.py
densezoo train CONFIG --dry-run      # parameters, memory, steps, schedule, time; trains nothing
densezoo train CONFIG --data-root DIR --resume
torchrun --nproc-per-node 4 -m densezoo train CONFIG --data-root DIR --launcher pytorch
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.api.names import check_names
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.results.label_summary import label_summary
from densezoo.training.logs import LOGS, check_logs
from densezoo.types import LabelResult


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--work-dir", type=Path, help="logs and checkpoints (default: work_dirs/CONFIG)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last state of the run in WORK_DIR; on a CPU to the same bits as without the interruption",
    )
    again.add_argument("--overwrite", action="store_true", help="remove the run in WORK_DIR and begin anew")
    parser.add_argument("--dry-run", action="store_true", help="say what the training would take, and train nothing")
    parser.add_argument(
        "--log",
        type=lambda text: text.split(","),
        default=["csv"],
        metavar="NAMES",
        help=f"logs in WORK_DIR beside log.jsonl, of {', '.join(LOGS)} (default: csv)",
    )
    options.add_run_options(parser)
    return parser


def run(args: Namespace) -> None:
    """Train, measure, and print what there is and how good it is; or print the plan."""
    config = options.find_config(args.config)
    check_names(config, overrides=args.cfg_options, device=args.device)  # before torch is imported
    check_logs(args.log)
    common = {name: getattr(args, name) for name in ("data_root", "device", "launcher")}
    common |= {"overrides": args.cfg_options, "workers": 2 if args.workers is None else args.workers}
    if args.dry_run:
        plan = api.plan_training(config, **common)
        from densezoo.training.plan_words import describe, values

        return _tell(args, describe(plan, args.config.stem), {"config": config, **values(plan)})
    checkpoint = api.train_config(
        config,
        work_dir=args.work_dir,
        resume=args.resume,
        overwrite=args.overwrite,
        logs=args.log,
        show_progress=not args.quiet,
        **common,
    )
    finished = api.finish_training(config, checkpoint, **common)
    result = finished.result
    report = label_summary(result) if isinstance(result, LabelResult) else api.report([result])
    left = {"trained": checkpoint, "result": finished.stored, "curves": finished.curves, "card": finished.card}
    lines = [report, *(f"{name}: {path}" for name, path in left.items() if path)]
    return _tell(args, "\n".join(lines), {**left, "measured": result})


def _tell(args: Namespace, text: str, data: object) -> None:
    """Print what there is, in the main process alone."""
    from densezoo.evaluation.distributed import is_main  # here, so that a misspelt name is refused without torch

    if is_main():
        answer(args, text, data)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
