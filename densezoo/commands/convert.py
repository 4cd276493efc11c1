"""Convert a DenseNet checkpoint of any system, exactly or not at all.

python tools/convert.py model.caffemodel model.safetensors
python tools/convert.py model.pth model.onnx --verify
python tools/convert.py densenetblur121d.pth blur.safetensors --options aa_layer=blurpool
"""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.formats.names import formats_read

#: {extension of a written file: the systems it can be for}; literal, because torch isn't imported for it.
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    ".safetensors": ("densezoo",),
    **dict.fromkeys((".pth", ".pt", ".pth.tar", ".bin"), ("torchvision", "timm", "mmpretrain", "naver")),
    ".onnx": ("onnx",),
    ".keras": ("keras",),
}
TARGETS = tuple(dict.fromkeys(system for systems in EXTENSIONS.values() for system in systems))


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "source", type=Path, help=f"name of the index, or a checkpoint file, known by its content: {formats_read()}"
    )
    parser.add_argument("destination", type=Path, help=f"the file to write: {_written()}")
    parser.add_argument(
        "--to",
        choices=TARGETS,
        metavar="SYSTEM",
        help="system to write for: %(choices)s (default: the first of the extension's)",
    )
    parser.add_argument("--verify", action="store_true", help="run both networks in their systems, if installed")
    parser.add_argument(
        "--options",
        nargs="+",
        type=options.key_value,
        action=options.KeyValues,
        metavar="KEY=VALUE",
        help="what the file doesn't say: bn_eps=1e-5",
    )
    return parser


def _written() -> str:
    """Every extension with its systems: ".pth, .pt (torchvision, timm), .onnx (onnx)"."""
    ends_of: dict[tuple[str, ...], list[str]] = {}
    for end, systems in EXTENSIONS.items():
        ends_of.setdefault(systems, []).append(end)
    return "; ".join(f"{', '.join(ends)} for {', '.join(systems)}" for systems, ends in ends_of.items())


def run(args: Namespace) -> None:
    """Convert, then print the report."""
    source, _ = options.find_weights(args.source)
    report, written = api.convert_checkpoint(
        source, args.destination, to=args.to, verify=args.verify, **(args.options or {})
    )
    lines = [f"{args.source}: {report}", f"written: {written['path']} ({written['to']}), read back bit for bit"]
    for system, error in written["verified"].items():
        lines.append(
            f"  {system}: {f'not run ({error})' if isinstance(error, str) else f'largest relative error {error:.1e}'}"
        )
    answer(args, "\n".join(lines), {**dataclasses.asdict(report), "written": written})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
