"""Write a folder ready to be published: weights named by their hash, index entry, config, card, results, checksums.

densezoo publish work_dirs/mine/mine.safetensors --name densenet121.acme_in1k --license mit -o out
densezoo publish model.pth --config configs/densenet121.py --name densenet121.acme_in1k -o out
cd out && sha256sum --check SHA256SUMS
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api
from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.commands.push import add_sharing_options
from densezoo.types import EvalResult, Measurement

#: Options that are arguments of the same name of `densezoo.publish`.
OPTIONS = ("name", "protocol", "dataset", "class_names", "license", "code", "url", "overwrite")


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a checkpoint file, or a name of the index")
    parser.add_argument("-o", "--out", dest="folder", type=Path, metavar="FOLDER", required=True, help="to make")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier publish wrote there")
    parser.add_argument(
        "--name", metavar="ARCH.TAG", help="of the model, in lower case (default: the file's, and .own)"
    )
    parser.add_argument(
        "--config", type=Path, help="whose network, dataset and protocol it is (default: the file says)"
    )
    parser.add_argument("--protocol", help="how pictures are prepared: a name, or a YAML file (default: the file says)")
    parser.add_argument("--dataset", help="whose classes its outputs are (default: the file says)")
    options.add_class_names(parser)
    parser.add_argument("--code", metavar="URL", help="of the code that made it")
    parser.add_argument("--url", help="of the folder where the weights will lie (default: beside the index)")
    add_sharing_options(parser)
    return parser


def run(args: Namespace) -> None:
    """Publish; print what was written and what to do next."""
    source, _ = options.find_weights(args.model)
    given = {name: getattr(args, name) for name in OPTIONS}
    config = args.config and options.find_config(args.config)
    results = api.stored_results(source, args.results)
    done = api.publish(source, args.folder, config=config, results=results, **given, **(args.options or {}))
    bytes_are = "byte for byte the file that was given" if done.kept else "written anew, the same weights to the bit"
    measured = [f"{result.dataset}/{result.protocol_label}: {_figure(result)}" for result in done.results]
    lines = [
        *(f"written: {path}" for path in done.files),
        f"weights: {bytes_are}; sha256 {done.sha256}",
        f"model: {done.name}, protocol {done.protocol}",
        f"license: {args.license or 'none was given; --license says what others may do'}",
        f"results: {', '.join(measured) or 'none was measured of this file'}",
        f"next: densezoo show {done.name} --index {args.folder}/model-index.yml",
    ]
    answer(args, "\n".join(lines), done)


def _figure(result: Measurement) -> str:
    """The figure that a result is named by."""
    if isinstance(result, EvalResult):
        return f"{result.top1:.2f}"
    return "no AUC" if result.mean_auc is None else f"mean AUC {result.mean_auc:.4f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
