"""Convert a DenseNet checkpoint of any system, exactly or not at all.

densezoo convert model.caffemodel model.safetensors
densezoo convert model.pth model.onnx --verify
densezoo convert densenetblur121d.pth blur.safetensors --options aa_layer=blurpool
densezoo convert downloads/ converted/ --to densezoo
"""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer, tell
from densezoo.errors import ConfigError, DensezooError
from densezoo.formats.names import formats_read

#: {extension of a written file: the systems it can be for}; literal, because torch isn't imported for it.
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    ".safetensors": ("densezoo",),
    **dict.fromkeys((".pth", ".pt", ".pth.tar", ".bin"), ("torchvision", "timm", "mmpretrain", "naver")),
    ".onnx": ("onnx",),
    ".keras": ("keras",),
}
TARGETS = tuple(dict.fromkeys(system for systems in EXTENSIONS.values() for system in systems))


#: A folder with model.safetensors and config.json, as timm and huggingface.co have it.
HUB = "hf"


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "source",
        type=Path,
        help="name of the index; a folder, of which every file is converted (with --to); or a checkpoint file, known "
        f"by its content: {formats_read()}",
    )
    parser.add_argument("destination", type=Path, help=f"the file to write: {_written()}; of a folder, a folder")
    parser.add_argument(
        "--to",
        choices=(*TARGETS, HUB),
        metavar="SYSTEM",
        help="system to write for: %(choices)s (default: the first of the extension's); hf: a new folder",
    )
    parser.add_argument(
        "--pixels",
        metavar="PROTOCOL",
        help="an .onnx file that takes pixels and normalises them itself, as PROTOCOL or the weights' own do: own",
    )
    parser.add_argument("--verify", action="store_true", help="run both networks in their systems, if installed")
    options.add_statements(parser)
    return parser


def _written() -> str:
    """Every extension with its systems: ".pth, .pt (torchvision, timm), .onnx (onnx)"."""
    ends_of: dict[tuple[str, ...], list[str]] = {}
    for end, systems in EXTENSIONS.items():
        ends_of.setdefault(systems, []).append(end)
    return "; ".join(f"{', '.join(ends)} for {', '.join(systems)}" for systems, ends in ends_of.items())


def run(args: Namespace) -> int | None:
    """Convert, then print the report.

    Raises:
        ConfigError: --pixels or --to hf, with an option that is for other files.
    """
    _check_options(args)
    if args.source.is_dir():
        return _run_folder(args)
    source, _ = options.find_weights(args.source)
    if args.pixels is not None:
        own = None if args.pixels == "own" else args.pixels
        path = api.export_pixels(source, args.destination, own, **(args.options or {}))
        answer(args, f"written: {path} (onnx, of pixels), read back bit for bit", {"written": path})
        return None
    if args.to == HUB:
        files = api.save_for_hub(source, args.destination, **(args.options or {}))
        answer(args, "\n".join(f"written: {path}" for path in files), {"written": files})
        return None
    report, written = api.convert_checkpoint(
        source, args.destination, to=args.to, verify=args.verify, **(args.options or {})
    )
    lines = [f"{args.source}: {report}", f"written: {written['path']} ({written['to']}), read back bit for bit"]
    for system, error in written["verified"].items():
        lines.append(
            f"  {system}: {f'not run ({error})' if isinstance(error, str) else f'largest relative error {error:.1e}'}"
        )
    answer(args, "\n".join(lines), {**dataclasses.asdict(report), "written": written})
    return None


def _check_options(args: Namespace) -> None:
    """Refuse an option that would have no effect on the file that is asked for."""
    form = "--pixels" if args.pixels is not None else f"--to {HUB}" if args.to == HUB else None
    if form == "--pixels" and args.to not in (None, "onnx"):
        raise ConfigError(f"--pixels writes an .onnx file, and --to {args.to} asks for another; leave one out")
    if form is not None and args.verify:
        raise ConfigError(f"--verify runs a file of weights alone, which {form} doesn't write; leave one out")


def _run_folder(args: Namespace) -> int:
    """Convert every file of a folder; the exit status is 1 if one was refused.

    Raises:
        ConfigError: no --to; the destination is a file.
    """
    if args.to not in TARGETS or args.pixels is not None:
        raise ConfigError(
            f"{args.source}: is a folder; expected --to with one of {', '.join(TARGETS)}, without --pixels"
        )
    end = next(end for end, systems in EXTENSIONS.items() if args.to in systems)
    converted: dict[str, Path] = {}
    refused: dict[str, str] = {}
    for source in sorted(path for path in args.source.rglob("*") if path.is_file() and path.name[0] != "."):
        relative = source.relative_to(args.source)
        destination = args.destination / relative.with_name(relative.name.partition(".")[0] + end)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            if destination in converted.values():
                raise ConfigError(f"{destination}: another file of the folder was written there; rename one")
            api.convert_checkpoint(source, destination, to=args.to, verify=args.verify, **(args.options or {}))
            converted[str(source)] = destination
            tell(args, f"{source}: written to {destination}")
        except DensezooError as error:
            refused[str(source)] = str(error)
            tell(args, f"{source}: refused: {error}")
    text = f"{len(converted)} converted, {len(refused)} refused"
    answer(args, text, {"converted": converted, "refused": refused})
    return 1 if refused else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
