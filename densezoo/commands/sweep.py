r"""Measure every model that matches on every dataset under every protocol; started again, it measures what is missing.

densezoo sweep 'densenet*' --datasets imagenet1k,imagenet-real --protocols own,timm \
    --data-root imagenet1k=/data/imagenet imagenet-real=/data/imagenet
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo.api.names import check_names
from densezoo.commands import options, values
from densezoo.commands.output import answer, tell
from densezoo.errors import EvaluationError


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("pattern", help="of model names, such as 'densenet1*'")
    options.add_evaluation_options(parser)
    add_sweep_options(parser)
    return parser


def add_sweep_options(to: ArgumentParser) -> None:
    """Add the options that no other command has."""
    to.add_argument("--datasets", type=values.names, default=["imagenet1k"], help="such as imagenet1k,imagenet-real")
    to.add_argument(
        "--protocols", type=values.names, default=["own"], help="such as own,timm (default: each model's own)"
    )
    to.add_argument(
        "--data-root", nargs="+", type=values.named_path, default=[], metavar="NAME=PATH", help="of each dataset"
    )
    to.add_argument(
        "--calibration",
        nargs="+",
        type=values.named_path,
        default=[],
        metavar="NAME=PATH",
        help="of the training images of each dataset, for int8",
    )
    to.add_argument(
        "--weights-dir", type=values.absolute, help="folder of files named MODEL.*; what isn't there is fetched"
    )
    to.add_argument(
        "--cache",
        type=values.absolute,
        default="work_dirs/pixels",
        help="folder that keeps decoded pixels: 7.5 GB for ImageNet at 224; delete it when done (default: %(default)s)",
    )
    to.add_argument("--workers", type=values.count, help=options.WORKERS)
    to.add_argument("--device", help=options.DEVICE)
    to.add_argument("--ray", metavar="ADDRESS", help="of a Ray cluster to share the models out to: auto, HOST:6379")


def run(args: Namespace) -> None:
    """Plan and measure; print each outcome, and at the end the tasks that failed."""
    device = args.device if args.ray is None else None  # Ray's machines have their own
    check_names(tta=args.tta, device=device, backend=args.backend, precision=args.precision)
    from densezoo.api.sweep import Settings, plan, sweep  # here, so that a misspelt name is refused without torch

    tasks = plan(args.pattern, args.datasets, args.protocols, dict(args.data_root))
    settings = Settings(
        data_roots=dict(args.data_root),
        out=args.out,
        weights=args.weights_dir,
        cache=args.cache,
        batch_size=args.batch_size,
        workers=args.workers,
        device=args.device,
        tta=args.tta,
        backend=args.backend,
        precision=args.precision,
        limit=args.limit,
        calibrations=dict(args.calibration),
    )
    failed, outcomes, number = [], [], 0
    try:
        for number, outcome in enumerate(sweep(tasks, settings, args.ray), start=1):
            tell(args, f"[{number}/{len(tasks)}] {outcome}")
            outcomes.append(outcome)
            failed += [str(outcome.task)] if outcome.error is not None else []
    except KeyboardInterrupt as error:
        error.args = (f"{number} of {len(tasks)} are done; the same command goes on with the others",)
        raise
    answer(args, "", outcomes)
    if failed:
        raise EvaluationError(f"{len(failed)} of {len(tasks)} failed; run the same again to retry: {'; '.join(failed)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
