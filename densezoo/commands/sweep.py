r"""Measure every model that matches on every dataset under every protocol; started again, it measures what is missing.

densezoo sweep 'densenet*' --datasets imagenet1k,imagenet-real --protocols own,timm \
    --data-root imagenet1k=/data/imagenet imagenet-real=/data/imagenet
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo.api.names import check_names
from densezoo.commands import options
from densezoo.commands.output import answer, tell
from densezoo.errors import EvaluationError


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("pattern", help="of model names, such as 'densenet1*'")
    options.add_evaluation_options(parser)
    options.add_sweep_options(parser)
    return parser


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
