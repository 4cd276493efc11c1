"""Predictions as a parquet file of one row for each image, from which every measure can be computed again.

Columns: ``index`` into the dataset, ``id``, ``label``, ``rank`` (classes with a higher logit than the label; -1: the
image can't be read), ``loss`` (nats), ``truncated`` (its end is missing and was filled in), ``classes`` and
``probabilities`` of the first five. The schema's metadata has the facts of the run.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezoo import schema
from densezoo.errors import EvaluationError, MissingDependencyError
from densezoo.evaluation.metrics import RECORD, Measures, Records, measure
from densezoo.files import replacing
from densezoo.results.store import OPTIONAL
from densezoo.types import JsonObject, RunFacts

ROWS = 1024  # of a row group; so many are in memory at a time
_KEY = b"densezoo"
_FLAT = {"index": "int64", "label": "int32", "rank": "int32", "loss": "float32", "truncated": "bool"}
_FIRST_FIVE = {"classes": "int32", "probabilities": "float32"}


def pyarrow_modules() -> tuple[Any, Any]:
    """(pyarrow, pyarrow.parquet).

    Raises:
        MissingDependencyError: there is no pyarrow.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError("a file of predictions", "pyarrow", "parquet") from None
    return pyarrow, pyarrow.parquet


def check_can_write(path: Path) -> None:
    """Refuse a file of predictions that can't be written, before the work starts.

    Args:
        path: the file.

    Raises:
        MissingDependencyError: no pyarrow.
        EvaluationError: no file can be written in its folder.
    """
    pyarrow_modules()
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise EvaluationError(
            f"{path}: predictions can't be written there ({error.strerror}); choose another file by --predictions"
        ) from None


def write_predictions(
    path: Path,
    parts: Iterable[Records],
    ids: Sequence[str],
    facts: RunFacts,
    num_classes: int,
    class_names: Sequence[str] = (),
) -> None:
    """Write records to a file, about ROWS in memory at a time; the file is written whole or not at all.

    Args:
        path: the file.
        parts: the records of every image, in any order.
        ids: of all images, by index.
        facts: of the run.
        num_classes: of the network.
        class_names: that the file of weights states; empty: the dataset's are meant.

    Raises:
        MissingDependencyError: no pyarrow.
        EvaluationError: the disk is full.
    """
    pa, parquet = pyarrow_modules()
    schema = pa.schema(
        {
            **{name: pa.type_for_alias(alias) for name, alias in _FLAT.items()},
            "id": pa.string(),
            **{name: pa.list_(pa.type_for_alias(alias), 5) for name, alias in _FIRST_FIVE.items()},
        },
        metadata=metadata_of(facts, num_classes=num_classes, num_images=len(ids), class_names=list(class_names)),
    )
    with replacing(path, partial(unwritable, path)) as hidden, parquet.ParquetWriter(hidden, schema) as writer:
        for records in _merged(parts):
            flat = {name: np.ascontiguousarray(records[name]) for name in _FLAT}
            lists = {
                name: pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(records[name]).ravel(), 5)
                for name in _FIRST_FIVE
            }
            columns = {**flat, **lists, "id": [ids[i] for i in records["index"].tolist()]}
            writer.write_table(pa.table({name: columns[name] for name in schema.names}, schema))


def metadata_of(facts: RunFacts, **further: object) -> dict[bytes, bytes]:
    """What the schema of a file of predictions carries.

    Args:
        facts: of the run.
        further: what else is needed to compute the measures again, as JSON values.
    """
    values = {**dataclasses.asdict(facts), **further}
    values = {key: value for key, value in values.items() if value is not None or key not in OPTIONAL}
    return {_KEY: json.dumps(values).encode()}


def unwritable(path: Path, reason: str) -> EvaluationError:
    """The error of a file of predictions that can't be written.

    Args:
        path: the file.
        reason: the operating system's.
    """
    return EvaluationError(f"{path}: predictions can't be written ({reason}); make room")


@contextmanager
def damage_told(path: str | Path) -> Iterator[None]:
    """Say in one message that a file of predictions is damaged, where the block can't read it.

    Args:
        path: the file.

    Raises:
        EvaluationError: it can't be read.
    """
    pa, _ = pyarrow_modules()
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())  # one line
        raise EvaluationError(
            f"{path}: can't be read ({reason}); make it anew with densezoo test --predictions"
        ) from None


def _merged(parts: Iterable[Records]) -> Iterator[Records]:
    """The records in larger parts, of about ROWS."""
    waiting: list[Records] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= ROWS:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


@dataclass(frozen=True)
class Predictions:
    """A file of predictions, read in parts.

    Args:
        path: the file.
        facts: of the run.
        num_classes: of the network.
        num_images: of the dataset.
        class_names: that the file of weights stated; empty: none.
    """

    path: Path
    facts: RunFacts
    num_classes: int
    num_images: int
    class_names: Sequence[str] = ()

    def parts(self) -> Iterator[tuple[list[str], Records]]:
        """(ids, records), at most ROWS at a time.

        Raises:
            EvaluationError: the file is damaged.
        """
        _, parquet = pyarrow_modules()
        with damage_told(self.path), parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(ROWS):
                records = np.zeros(len(batch), RECORD)
                for name in set(_FLAT) & set(batch.schema.names):  # older files lack newer columns
                    records[name] = batch.column(name).to_numpy(zero_copy_only=False)
                for name in _FIRST_FIVE:
                    records[name] = batch.column(name).flatten().to_numpy().reshape(-1, 5)
                yield batch.column("id").to_pylist(), records

    def measures(self) -> Measures:
        """Every measure, computed from the records."""
        records = (part for _, part in self.parts())
        return measure(records, self.num_classes, self.num_images)[0]

    def right(self) -> NDArray[np.bool_]:
        """(num_images,), whether the network put each image's label first."""
        right = np.zeros(self.num_images, np.bool_)
        for _, records in self.parts():
            right[records["index"]] = records["rank"] == 0
        return right


def read_predictions(path: str | Path) -> Predictions:
    """Open a file of `write_predictions`.

    Args:
        path: the file.

    Raises:
        EvaluationError: it can't be read, or is another parquet file; of several labels an image.
    """
    values = stored_values(path)
    if "labels" in values:
        raise EvaluationError(f"{path}: predictions of several labels an image; expected those of one class an image")
    num_classes, num_images = values.pop("num_classes"), values.pop("num_images")
    names = tuple(values.pop("class_names", ()))  # older files have none
    facts = schema.build(RunFacts, values, str(path), EvaluationError)
    return Predictions(Path(path), facts, num_classes, num_images, names)


def stored_values(path: str | Path) -> JsonObject:
    """What `metadata_of` a file of predictions says; ``labels`` is among it if its images have several each.

    Args:
        path: the file.

    Raises:
        EvaluationError: it can't be read, or is another parquet file.
    """
    pa, parquet = pyarrow_modules()
    if not Path(path).exists():
        raise EvaluationError(f"{path}: there is no such file; densezoo test --predictions makes one")
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(
            f"{path}: not a parquet file ({error}); make one with densezoo test --predictions"
        ) from None
    values: JsonObject = json.loads(metadata.get(_KEY, b"{}"))
    if "num_images" not in values:  # densezoo predict --parquet and densezoo features have no labels to measure by
        raise EvaluationError(f"{path}: not densezoo's predictions; make them with densezoo test --predictions")
    return values
