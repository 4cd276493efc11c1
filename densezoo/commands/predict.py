"""Classify pictures: class names and probabilities under the model's protocol.

densezoo predict densenet121.tv_in1k cat.jpg folder/ 'more/**/*.png'
densezoo predict CONFIG.py CHECKPOINT cat.jpg --json
densezoo predict converted.safetensors - < cat.jpg
densezoo predict MODEL photographs/ --label-table photographs/labels.csv

Exit status: 0: every picture was classified; 1: an error, named on stderr;
3: some can't be read, which --skip-unreadable names and leaves out.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.commands import options, values
from densezoo.errors import ConfigError
from densezoo.files import PREDICTIONS, written_as
from densezoo.results.label_summary import areas_summary
from densezoo.types import Prediction, Protocol, RunFacts

if TYPE_CHECKING:
    from densezoo.api.classifier import Classifier
    from densezoo.data.images import ImageSet
    from densezoo.data.loading import OnError
    from densezoo.evaluation.predicted_labels import PredictedLabels

Form = Callable[[Iterable[Prediction], Callable[[], RunFacts]], Iterator[str]]
FORMATS = ("table", "json", "csv", "dict")
#: Options that are arguments of the same name of `densezoo.Classifier`.
OPTIONS = ("protocol", "class_names", "multi_label", "device", "backend", "precision", "batch_size", "workers")


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    options.add_model(parser)
    options.add_images(parser)
    parser.add_argument("--topk", type=values.positive, default=5, help="answers a picture (default: %(default)s)")
    parser.forms.add_argument("--format", choices=FORMATS, default="table", help="dict: {151: 'Chihuahua'} a picture")
    parser.forms.add_argument("--csv", dest="format", action="store_const", const="csv", help="--format csv")
    parser.add_argument("--parquet", type=Path, metavar="FILE.parquet", help="write a row an answer there, too")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="write each picture with its label there (or FILE)")
    options.add_class_names(parser)
    parser.add_argument(
        "--multi-label",
        action="store_true",
        default=None,
        help="a probability for each class by itself (sigmoid); default: what the weights say",
    )
    parser.add_argument(
        "--label-table",
        type=Path,
        metavar="FILE.csv",
        help="several labels a picture: lines of file,0,1,...; measures each label's AUC over the pictures, at the end",
    )
    parser.add_argument(
        "--data-root", type=Path, metavar="FOLDER", help="what the CSV's names are relative to (default: its folder)"
    )
    options.add_network_options(parser)
    return parser


def run(args: Namespace) -> int:
    """Classify and print as the pictures are done; return the exit status."""
    model, checkpoint, names = options.split_model(args.model, args.images)
    if args.parquet:
        written_as(args.parquet, "predictions", PREDICTIONS)
    if args.data_root and not args.label_table:
        raise ConfigError("--data-root says what the names in --label-table are relative to, and there is none")
    classifier, images, kept = _prepared(args, model, checkpoint, names)
    from densezoo.results import predicted

    on_error: OnError = "skip" if args.skip_unreadable else "stop"
    predictions: Iterable[Prediction] = classifier.predict(images, topk=args.topk, on_error=on_error, kept=kept)
    skipped: list[str] = []
    predictions = _noted(predictions, skipped)
    if args.parquet:
        predictions = predicted.write_parquet(args.parquet, predictions, lambda: classifier.facts)
    if args.draw:
        predictions = _drawn(predictions, images, args.draw, classifier.protocol)
    as_json = partial(predicted.as_json, areas=kept.areas if kept else None)
    forms: Mapping[str, Form] = {"json": as_json, "csv": predicted.as_csv, "dict": predicted.as_dicts}
    form = "json" if args.json else args.format
    if form == "table":
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        lines = predicted.table(predictions, lambda: classifier.facts, unicode)
    else:
        lines = forms[form](predictions, lambda: classifier.facts)
    for line in lines:
        print(line, flush=True)
    if kept and form != "json":  # CSV and dicts stay what a program reads
        print(areas_summary(kept.areas()), file=sys.stdout if form == "table" else sys.stderr)
    return options.SKIPPED if skipped else 0


def _prepared(
    args: Namespace, model: str, checkpoint: str | None, names: Sequence[str]
) -> tuple[Classifier, ImageSet, PredictedLabels | None]:
    """The classifier, the images, and what keeps their logits for --label-table."""
    from densezoo.api.prediction import prepare, prepare_labels

    given = {name: getattr(args, name) for name in OPTIONS}
    given |= {"standard_input": sys.stdin.buffer.read() if "-" in names else b"", "limit": args.limit}
    given |= {"overrides": args.cfg_options, "changes": options.protocol_changes(args)}
    if args.label_table:
        return prepare_labels(model, names, checkpoint, args.label_table, args.data_root, **given)
    return *prepare(model, names, checkpoint, **given), None


def _noted(predictions: Iterable[Prediction], skipped: list[str]) -> Iterator[Prediction]:
    """The predictions; the images without an answer are noted."""
    for prediction in predictions:
        if prediction.error is not None:
            skipped.append(prediction.image)
        yield prediction


def _drawn(
    predictions: Iterable[Prediction], images: ImageSet, place: Path, protocol: Protocol
) -> Iterator[Prediction]:
    """The predictions; of each that has an answer the picture is drawn."""
    from densezoo.results.labelled import draw_label, drawn_path, write_picture

    paths = [drawn_path(place, name, len(images) == 1) for name in images.ids]
    if len(set(paths)) < len(paths):
        raise ConfigError(f"{place}: two pictures would get the same name there; give each folder a --draw of its own")
    for index, prediction in enumerate(predictions):
        if prediction.answers:
            write_picture(paths[index], draw_label(images.read(index), prediction, protocol))
        yield prediction


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
