"""Predictions as text and as files: a table with bars, JSON, CSV, a dict an image, parquet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from densezoo.errors import MissingDependencyError, ResultError
from densezoo.files import replacing
from densezoo.types import LabelAreas, Prediction, RunFacts

Facts = Callable[[], RunFacts]  # asked once the first image is computed, when the backend is known

ROWS = 1024  # of a row group of parquet
COLUMNS = ("image", "rank", "class", "name", "probability", "error")
_NAME, _BAR = 36, 28  # columns of a table that fits 80
_BLOCKS = " ▏▎▍▌▋▊▉█"


def table(predictions: Iterable[Prediction], facts: Facts, unicode: bool = True) -> Iterator[str]:
    """Lines for a terminal of 80 columns: for each image its name, and a line with a bar for each answer.

    Args:
        predictions: in the images' order.
        facts: of the run.
        unicode: whether the terminal has block characters; otherwise bars are of ``#``.
    """
    for number, prediction in enumerate(predictions):
        if number == 0:
            known = facts()
            sampled = "" if known.sampled_from is None else f", a sample of {known.sampled_from:,} pictures"
            yield f"{known.model}, protocol {known.protocol}{sampled}"
        yield prediction.image
        if prediction.error is not None:
            yield f"  can't be read: {_reason(prediction)}"
        for answer in prediction.answers:
            title = answer.name if answer.name == str(answer.label) else f"{answer.label} {answer.name}"
            title = title if len(title) <= _NAME else title[: _NAME - 3] + "..."
            yield f"  {100 * answer.probability:6.2f} %  {title:{_NAME}}  {_bar(answer.probability, unicode)}".rstrip()


def _bar(share: float, unicode: bool) -> str:
    if not unicode:
        return "#" * round(share * _BAR)
    whole, eighths = divmod(round(share * _BAR * 8), 8)
    return _BLOCKS[8] * whole + _BLOCKS[eighths].strip()


def _reason(prediction: Prediction) -> str:
    return (prediction.error or "").removeprefix(f"{prediction.image}: ")


def as_dicts(predictions: Iterable[Prediction], facts: Facts) -> Iterator[str]:
    """A line an image, as MindSpore Vision prints it: ``{151: 'Chihuahua'}``; ``{}`` for one that can't be read.

    Args:
        predictions: in the images' order.
        facts: of the run.
    """
    for prediction in predictions:
        yield str({answer.label: answer.name for answer in prediction.answers[:1]})


def as_json(
    predictions: Iterable[Prediction], facts: Facts, areas: Callable[[], LabelAreas] | None = None
) -> Iterator[str]:
    """One JSON object over all lines: the facts of the run, and ``predictions``, one a line, as they are made.

    Args:
        predictions: in the images' order.
        facts: of the run.
        areas: asked once all are predicted: the area of each label, for ``areas`` after them; None: there are none.
    """
    before = None
    for prediction in predictions:
        yield f"{before}," if before else _opening(facts())
        before = json.dumps(as_mapping(prediction))
    end = "]}" if areas is None else f'], "areas": {json.dumps(dataclasses.asdict(areas()))}}}'
    yield f"{before}\n{end}" if before else f"{_opening(facts())}{end}"


def _opening(facts: RunFacts) -> str:
    """The facts of the run as the beginning of an object, up to its list of predictions."""
    known = {name: value for name, value in dataclasses.asdict(facts).items() if value not in (None, "")}
    return f'{json.dumps(known)[:-1]}, "predictions": ['


def as_mapping(prediction: Prediction) -> Mapping[str, object]:
    """A prediction as JSON has it.

    Args:
        prediction: of one image.
    """
    answers = [{"class": each.label, "name": each.name, "probability": each.probability} for each in prediction.answers]
    return {
        "image": prediction.image,
        "answers": answers,
        "truncated": prediction.truncated,
        "error": None if prediction.error is None else _reason(prediction),
    }


def as_csv(predictions: Iterable[Prediction], facts: Facts) -> Iterator[str]:
    """CSV with a header: a line an answer, ``rank`` from 1; an image that can't be read has one line with its error.

    Args:
        predictions: in the images' order.
        facts: of the run.
    """
    yield ",".join(COLUMNS)
    for prediction in predictions:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows(prediction))
        yield text.getvalue().rstrip("\n")


def rows(prediction: Prediction) -> list[tuple[object, ...]]:
    """The rows of a prediction under COLUMNS.

    Args:
        prediction: of one image.
    """
    if prediction.error is not None:
        return [(prediction.image, None, None, None, None, _reason(prediction))]
    return [
        (prediction.image, rank, each.label, each.name, each.probability, None)
        for rank, each in enumerate(prediction.answers, 1)
    ]


def write_parquet(path: Path, predictions: Iterable[Prediction], facts: Facts) -> Iterator[Prediction]:
    """Write predictions as they pass: a row an answer; the file is there when the last one has passed.

    Args:
        path: the file.
        predictions: in the images' order.
        facts: of the run, which the schema's metadata get.

    Raises:
        MissingDependencyError: no pyarrow.
        ResultError: the file can't be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingDependencyError("a file of predictions", "pyarrow", "parquet") from None
    types = ("string", "int32", "int32", "string", "float64", "string")
    fields = {name: pyarrow.type_for_alias(alias) for name, alias in zip(COLUMNS, types)}

    def unwritable(reason: str) -> ResultError:
        return ResultError(f"{path}: predictions can't be written ({reason}); choose another file")

    with replacing(path, unwritable) as hidden:
        waiting: list[tuple[object, ...]] = []
        open(hidden, "xb").close()  # before the first image is computed
        passed = iter(predictions)
        first = next(passed, None)
        metadata = {"densezoo": json.dumps(dataclasses.asdict(facts()))}
        schema = pyarrow.schema(fields, metadata=metadata)
        with parquet.ParquetWriter(hidden, schema) as writer:

            def flush() -> None:
                columns = dict(zip(COLUMNS, map(list, zip(*waiting))))
                writer.write_table(pyarrow.table(columns or {name: [] for name in COLUMNS}, schema))
                waiting.clear()

            while first is not None:
                waiting += rows(first)
                if len(waiting) >= ROWS:
                    flush()
                yield first
                first = next(passed, None)
            flush()
