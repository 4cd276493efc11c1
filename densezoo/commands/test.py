"""Evaluate a checkpoint: top-1 and top-5 under a named protocol, or all of them, stored as JSON.

Of a network that gives several labels an image: the area under each label's ROC curve.

densezoo test densenet121.tv_in1k --data-root /data/imagenet
densezoo test CONFIG CHECKPOINT --data-root /data/imagenet
densezoo test converted.safetensors --dataset imagenet1k --data-root /data/imagenet
torchrun --nproc-per-node 2 -m densezoo test CONFIG CHECKPOINT --data-root DIR
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.api.names import check_data, check_names
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.errors import ConfigError
from densezoo.formats.names import formats_read
from densezoo.protocols import PROTOCOLS
from densezoo.results.agreement import check_expected
from densezoo.results.label_summary import label_summary
from densezoo.results.store import Result, result_path, storing

#: Options that are arguments of the same name of `densezoo.evaluate_protocols`.
OPTIONS = (
    "dataset", "tta", "device", "backend", "precision", "data_root", "labels", "class_map", "batch_size", "workers",
    "launcher", "model", "subset", "calibration", "on_error", "limit", "out", "resume", "restart", "predictions",
)  # fmt: skip


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("config", type=Path, nargs="?", help="what is run (default: what the checkpoint says)")
    parser.add_argument(
        "checkpoint", type=Path, help=f"name of the index, or a checkpoint file, known by its content: {formats_read()}"
    )
    options.add_evaluation_options(parser)
    add_test_options(parser)
    options.add_run_options(parser)
    return parser


def add_test_options(to: ArgumentParser) -> None:
    """Add what `densezoo test` takes beside the options of every evaluation and of every config."""
    to.add_argument(
        "--protocol", help=f"preprocessing (default: the weights' own): FILE.yml, all, {', '.join(PROTOCOLS)}"
    )
    options.add_protocol_changes(to)
    to.add_argument("--dataset", help="such as imagenet1k, imagenet-real (default: the config's)")
    to.add_argument("--model", metavar="NAME", help="the model that the weights are of, if no published hash tells")
    to.add_argument("--subset", default="all", help="of imagenet-c, such as fog/3 (default: each that --data-root has)")
    to.add_argument("--labels", type=Path, help="list of labels of a flat folder or tar, such as Caffe's val.txt")
    to.add_argument(
        "--label-table",
        type=Path,
        metavar="FILE.csv",
        help="several labels an image: lines of file,0,1,...; measures AUCs",
    )
    to.add_argument("--class-map", type=Path, help="labels of class folders: lines of 'folder' or 'folder label'")
    to.add_argument("--on-error", choices=("stop", "count-wrong"), default="stop", help="images that can't be read")
    to.add_argument("--calibration", type=Path, metavar="ROOT", help="of the dataset's training images, for int8")
    state = to.add_mutually_exclusive_group()
    state.add_argument("--resume", action="store_true", help="go on from what an interrupted run left in --out")
    state.add_argument("--restart", action="store_true", help="drop what an interrupted run left in --out")
    to.add_argument("--predictions", type=Path, metavar="FILE.parquet", help="one row an image (densezoo analyze)")
    to.add_argument("--expect", type=float, metavar="TOP1", help="exit with status 1 unless this top-1 is measured")
    to.add_argument("--tolerance", type=float, default=0.0, help="percent that it may be off (default: %(default)s)")


def run(args: Namespace) -> None:
    """Evaluate, store, print."""
    if args.expect is not None and args.limit is not None:
        raise ConfigError("--expect is a top-1 of all images, and --limit measures a sample; leave one out")
    config = args.config and options.find_config(args.config)
    if config is None and not args.checkpoint.exists():  # refused before weights are fetched
        named = {name: getattr(args, name) for name in ("dataset", "tta", "device", "backend", "precision")}
        check_names(overrides=args.cfg_options, names=[args.protocol] if args.protocol else None, **named)
        check_data(str(args.checkpoint), args.dataset, args.data_root)
    checkpoint, model = options.find_weights(args.checkpoint)
    given = {name: getattr(args, name) for name in OPTIONS}
    given |= {
        "model": args.model or model,
        "names": [args.protocol] if args.protocol else None,
        "overrides": args.cfg_options,
        "changes": options.protocol_changes(args),
        "show_progress": not args.quiet,
    }
    if args.label_table is not None:
        if args.expect is not None:
            raise ConfigError("--expect is a top-1, and with --label-table there is none; leave one out")
        areas = api.evaluate_labels(config, checkpoint, args.label_table, **given)
        _tell(args, "\n".join(map(label_summary, areas)), areas)
        return
    results = api.evaluate_protocols(config, checkpoint, **given)
    if _tell(args, api.report(results), results) and args.expect is not None:
        check_expected(results, args.expect, args.tolerance)


def _tell(args: Namespace, report: str, results: Sequence[Result]) -> bool:
    """Print what was measured and where it is stored, in the main process; return whether this is it."""
    from densezoo.evaluation.distributed import is_main  # here, so that a misspelt name is refused without torch

    if not is_main():
        return False
    kept: Sequence[Result] = results if args.limit is None else []
    told = [report, *(f"  {storing(args.out, result)}" for result in kept)]
    told += [] if kept else ["  not stored, because of --limit"]
    stored = [result_path(args.out, result) for result in kept]
    answer(args, "\n".join(told), {"results": results, "stored": stored})
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
