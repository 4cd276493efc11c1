"""Write the feature vectors of pictures: what the network's classifier is given.

densezoo features densenet121.tv_in1k holiday/ -o vectors.npy
densezoo features CONFIG.py CHECKPOINT holiday/ -o vectors.parquet

Exit status: 0: every picture has a vector; 1: an error, named on stderr;
3: some can't be read, which --skip-unreadable names and leaves out.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.files import written_as

if TYPE_CHECKING:
    from densezoo.evaluation.vectors import Vector
    from densezoo.results.vector_files import Row

#: Options that are arguments of the same name of `densezoo.api.features.FeatureExtractor`.
OPTIONS = ("protocol", "device", "backend", "precision", "batch_size", "workers")


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    options.add_model(parser)
    options.add_images(parser)
    parser.add_argument(
        "-o", "--out", "--output", dest="output", type=Path, required=True, metavar="FILE", help=".npy or .parquet"
    )
    options.add_network_options(parser)
    return parser


def run(args: Namespace) -> int:
    """Compute and write the vectors; return the exit status."""
    from densezoo.results.vector_files import VECTORS, write_vectors

    written_as(args.output, "features", VECTORS)
    model, checkpoint, names = options.split_model(args.model, args.images)
    from densezoo.api.prediction import prepare_features

    given = {name: getattr(args, name) for name in OPTIONS}
    content = sys.stdin.buffer.read() if "-" in names else b""
    extractor, images = prepare_features(
        model,
        names,
        checkpoint,
        standard_input=content,
        limit=args.limit,
        overrides=args.cfg_options,
        changes=options.protocol_changes(args),
        **given,
    )
    from densezoo.evaluation.progress import progress

    with progress("features", len(images), show=True) as advance:

        def rows(vectors: Iterator[Vector]) -> Iterator[Row]:
            for vector in vectors:
                advance(1)
                if vector.features is not None:
                    yield vector.image, vector.features

        table = rows(extractor.vectors(images, "skip" if args.skip_unreadable else "stop"))
        width = extractor.architecture.num_classes
        written = write_vectors(args.output, width, table, lambda: extractor.facts)
    of = "" if images.sampled_from is None else f" of {images.sampled_from:,}"
    text = f"written: {args.output}: {written:,}{of} pictures, {width:,} features each"
    counts = {"images": written, "given": images.sampled_from or len(images), "features": width}
    answer(args, text, {"written": args.output, **counts})
    return options.SKIPPED if written < len(images) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
