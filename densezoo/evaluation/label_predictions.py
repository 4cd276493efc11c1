"""Predictions of several labels an image as a parquet file, from which every area can be computed again.

Columns: ``index`` into the dataset, ``id``, ``labels`` (those that the image has, from 0), ``logits`` (one a label;
their sigmoid is the label's probability), ``truncated`` (its end is missing and was filled in). The schema's metadata
has the facts of the run and the labels' names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densezoo import schema
from densezoo.data.images import ImageSet
from densezoo.errors import EvaluationError
from densezoo.evaluation.multi_label import label_areas
from densezoo.evaluation.predictions import ROWS, damage_told, metadata_of, pyarrow_modules, stored_values, unwritable
from densezoo.files import replacing
from densezoo.types import LabelAuc, RunFacts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_label_predictions(
    path: Path,
    logits: NDArray[np.float64],
    images: ImageSet,
    truncated: Sequence[int],
    facts: RunFacts,
    names: Sequence[str],
) -> None:
    """Write the logits of a set of images; the file is written whole or not at all.

    Args:
        path: the file.
        logits: (images, labels).
        images: the set, with ``label_sets``.
        truncated: indices of images whose end was filled in.
        facts: of the run.
        names: of the labels.

    Raises:
        MissingDependencyError: no pyarrow.
        EvaluationError: the disk is full.
    """
    pa, parquet = pyarrow_modules()
    flags = np.zeros(len(images), np.bool_)
    flags[list(truncated)] = True
    types = {
        "index": pa.int64(),
        "id": pa.string(),
        "labels": pa.list_(pa.int32()),
        "logits": pa.list_(pa.float64(), len(names)),
        "truncated": pa.bool_(),
    }
    columns = {
        "index": np.arange(len(images)),
        "id": list(images.ids),
        "labels": [list(labels) for labels in images.label_sets or ()],
        "logits": pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(logits).ravel(), len(names)),
        "truncated": flags,
    }
    table = pa.table(columns, pa.schema(types, metadata=metadata_of(facts, labels=list(names), num_images=len(images))))
    with replacing(path, partial(unwritable, path)) as hidden:
        parquet.write_table(table, hidden, row_group_size=ROWS)


@dataclass(frozen=True)
class LabelPredictions:
    """A file of predictions of several labels an image, read.

    Args:
        path: the file.
        facts: of the run.
        names: of the labels.
        logits: (images, labels).
        label_sets: the labels of each image.
        truncated: number of images whose end was filled in.
    """

    path: Path
    facts: RunFacts
    names: tuple[str, ...]
    logits: NDArray[np.float64]
    label_sets: tuple[tuple[int, ...], ...]
    truncated: int

    def labels(self) -> tuple[LabelAuc, ...]:
        """The area of each label, computed from the logits."""
        return label_areas(self.logits, self.label_sets, self.names)


def read_label_predictions(path: str | Path) -> LabelPredictions | None:
    """Read a file of `write_label_predictions`; None: it is of one class an image.

    Args:
        path: the file.

    Raises:
        EvaluationError: it can't be read, or is another parquet file.
    """
    values = stored_values(path)
    if "labels" not in values:
        return None
    names, num_images = tuple(values.pop("labels")), values.pop("num_images")
    facts = schema.build(RunFacts, values, str(path), EvaluationError)
    _, parquet = pyarrow_modules()
    with damage_told(path):
        table = parquet.read_table(path)
    if table["index"].to_pylist() != list(range(num_images)):
        raise EvaluationError(
            f"{path}: expected {num_images:,} images in their order; make it anew with densezoo test --predictions"
        )
    logits = table["logits"].combine_chunks().flatten().to_numpy().reshape(-1, len(names))
    sets = tuple(map(tuple, table["labels"].to_pylist()))
    return LabelPredictions(Path(path), facts, names, logits, sets, sum(table["truncated"].to_pylist()))
