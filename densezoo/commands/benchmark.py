"""Measure, side by side and interleaved, and store as results/benchmarks/<what>....json.

densezoo benchmark --what inference densenet121 --backend all --against timm,torchvision
densezoo benchmark --what steps configs/cifar/densenet_bc_100_12_cifar10plus.py --data-root DIR
densezoo benchmark --what formats densenet121.t7 densenet161.pth
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo import api
from densezoo.backends.base import AUTO, BACKENDS
from densezoo.commands import options, values
from densezoo.commands.output import answer, tell
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.paths import RESULTS
from densezoo.results.machine import INSTRUCTION_SETS
from densezoo.results.provenance import cores
from densezoo.results.speed_tables import printed
from densezoo.results.step_tables import steps_table
from densezoo.types import Benchmark

if TYPE_CHECKING:
    from densezoo.benchmarks.inference import Settings


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "--what", choices=[*WHATS], default="inference", metavar="WHAT", help="%(choices)s (default: %(default)s)"
    )
    parser.add_argument(
        "subjects", nargs="+", help="names of the index or configs; checkpoint files with --what formats"
    )
    parser.add_argument(
        "--backend", type=values.names, help=f"of densezoo: {', '.join(BACKENDS)} (default: all of them)"
    )
    parser.add_argument("--precision", type=values.names, default=["float32"], help="such as float32,bf16")
    parser.add_argument(
        "--against", type=values.names, default=[], help="such as timm,torchvision,openvino,onnxruntime"
    )
    parser.add_argument("--modes", type=values.names, default=[], help="memory modes of training, such as none,shared")
    parser.add_argument(
        "--layouts", type=values.names, default=["contiguous"], help="of training: contiguous,channels-last"
    )
    parser.add_argument("--batch-sizes", type=_numbers, default=[1, 4, 16], help="images a call (default: 1,4,16)")
    parser.add_argument(
        "--img-size",
        "--image-size",
        dest="image_size",
        type=values.positive,
        metavar="PIXELS",
        help="side (default: the protocol's)",
    )
    parser.add_argument("--protocol", help="preprocessing (default: the model's own)")
    parser.add_argument("--weights", type=Path, help="a checkpoint file (default: drawn at random)")
    parser.add_argument("--data-root", type=Path, help="folder or tar of images in class folders, to evaluate or train")
    parser.add_argument("--images", type=_numbers, default=[1000], help="of it, repeated under other names as needed")
    parser.add_argument("--clone", type=Path, action="append", default=[], help="of densezoo at another commit")
    parser.add_argument("--device", default="cpu", help="such as cpu or cuda (default: %(default)s)")
    parser.add_argument("--threads", type=values.positive, default=cores(), help="(default: the cores, %(default)s)")
    parser.add_argument("--instruction-set", choices=INSTRUCTION_SETS, help="to hold all to (default: the CPU's best)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=values.positive, default=5, help="interleaved runs (default: %(default)s)")
    parser.add_argument("--steps", type=values.positive, default=20, help="of a training (default: %(default)s)")
    options.add_cfg_options(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "benchmarks", help="folder (default: %(default)s)")
    return parser


def _numbers(text: str) -> list[int]:
    return [values.positive(number) for number in text.split(",")]


def _backends(args: Namespace) -> list[str]:
    """The backends that are timed.

    Raises:
        UnknownNameError: there is no such backend, or none of them has such a precision.
    """
    backends = [*BACKENDS] if args.backend in (None, ["all"]) else args.backend
    for name in backends:
        if name not in BACKENDS and not (name == AUTO and args.what == "evaluation"):
            raise UnknownNameError("backend", name, BACKENDS)
    precisions = {"float32", *(each for name in backends if name != AUTO for each in BACKENDS[name].precisions)}
    for precision in args.precision:
        if precision not in precisions:
            raise UnknownNameError("precision", precision, precisions)
    return backends


def _settings(args: Namespace) -> Settings:
    """How the programs are timed."""
    from densezoo.benchmarks.inference import Settings  # here, because it imports torch

    given = ("against", "batch_sizes", "device", "threads", "instruction_set", "seconds", "rounds")
    return Settings(_backends(args), precisions=args.precision, **{name: getattr(args, name) for name in given})


def _formats(args: Namespace) -> list[Path]:
    """Time how checkpoint files are loaded; Torch7's are compared with PyPI's torchfile."""
    path, rows = api.benchmark_formats(args.subjects, rounds=args.rounds, folder=args.out)
    for row in rows:
        ratio = f", torchfile takes {row['ratio']:.1f} x" if row["ratio"] else ""
        tell(args, f"{row['file']}: {row['mib']:.1f} MiB, median {row['seconds']:.3f} s{ratio}")
    tell(args, f"stored: {path}")
    return [path]


def _inference(args: Namespace) -> list[Path]:
    """Time networks alone."""
    return _each(args, api.benchmark_inference, image_size=args.image_size)


def _training(args: Namespace) -> list[Path]:
    """Time training steps."""
    return _each(args, api.benchmark_training, image_size=args.image_size)


def _memory(args: Namespace) -> list[Path]:
    """Measure what training steps keep for backward."""
    return _each(args, api.benchmark_memory, image_size=args.image_size, modes=args.modes, layouts=args.layouts)


def _steps(args: Namespace) -> list[Path]:
    """Take the first steps of each config's training."""
    paths = []
    for config in args.subjects:
        more = {"data_root": args.data_root, "steps": args.steps, "overrides": args.cfg_options, "folder": args.out}
        path, benchmark = api.benchmark_steps(options.find_config(Path(config)), _settings(args), **more)
        tell(args, f"{steps_table([benchmark])}stored: {path}")
        paths.append(path)
    return paths


def _evaluation(args: Namespace) -> list[Path]:
    """Time whole evaluations.

    Raises:
        ConfigError: no --data-root.
    """
    if args.data_root is None:
        raise ConfigError("--what evaluation needs --data-root: a folder or tar of images in class folders")
    more = {"data_root": args.data_root, "clones": args.clone}
    return [path for images in args.images for path in _each(args, api.benchmark_evaluation, images=images, **more)]


def _each(args: Namespace, measure: Callable[..., tuple[Path, Benchmark]], **more: object) -> list[Path]:
    """Measure every subject, and print its table; return the stored files.

    Args:
        measure: a function of `densezoo.api.benchmark`.
        more: its own arguments.
    """
    paths = []
    for subject in args.subjects:
        path, benchmark = measure(
            subject,
            _settings(args),
            protocol=args.protocol,
            weights=args.weights,
            folder=args.out,
            say=lambda line: tell(args, line),
            **more,
        )
        tell(args, f"{printed(benchmark)}stored: {path}")
        paths.append(path)
    return paths


#: {what is timed: the function that does it}.
WHATS = {
    "inference": _inference,
    "evaluation": _evaluation,
    "training": _training,
    "memory": _memory,
    "steps": _steps,
    "formats": _formats,
}


_OF_NETWORKS = (
    "against",
    "protocol",
    "weights",
    "device",
    "threads",
    "rounds",
    "precision",
    "instruction_set",
    "seconds",
)
_OF_NETWORKS_ALONE = (*_OF_NETWORKS, "batch_sizes", "image_size")
#: {what is timed: the options that it heeds, by their names in the parsed arguments}.
HEEDED = {
    "inference": (*_OF_NETWORKS_ALONE, "backend"),
    "evaluation": (*_OF_NETWORKS, "backend", "data_root", "images", "clone"),
    "training": _OF_NETWORKS_ALONE,
    "memory": (*_OF_NETWORKS_ALONE, "modes", "layouts"),
    "steps": ("data_root", "steps", "cfg_options", "device", "threads"),
    "formats": ("rounds",),
}


def _check_heeded(args: Namespace) -> None:
    """Refuse an option, given otherwise than its default, that would change nothing of what is timed.

    Raises:
        ConfigError: names one that isn't heeded, and what heeds it.
    """
    parser, known = make_parser(), {name for names in HEEDED.values() for name in names}
    for name in sorted(known - {*HEEDED[args.what]}):
        if getattr(args, name) != parser.get_default(name):
            heeding = ", ".join(each for each, names in HEEDED.items() if name in names)
            option = "--" + name.replace("image_size", "img_size").replace("_", "-")
            raise ConfigError(f"--what {args.what} doesn't heed {option}, which is for {heeding}; leave it out")


def run(args: Namespace) -> None:
    """Measure, print a table for each subject, store."""
    _check_heeded(args)
    _backends(args)  # a misspelt name is refused before torch is imported
    stored = WHATS[args.what](args)
    answer(args, "", {str(path): json.loads(path.read_text(encoding="utf-8")) for path in stored})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
