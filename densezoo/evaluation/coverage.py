"""Every image is scored once: the coverage of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Measures
from densezoo.types import Coverage


def check_coverage(measures: Measures, ids: Sequence[str]) -> Coverage:
    """What became of every id of the dataset.

    Args:
        measures: of the whole run.
        ids: of all images.

    Raises:
        EvaluationError: an image was scored twice or not at all.
    """
    missing, duplicated = np.flatnonzero(measures.seen == 0), np.flatnonzero(measures.seen > 1)
    for what, indices in (("were not scored", missing), ("were scored more than once", duplicated)):
        if len(indices):
            raise EvaluationError(
                f"{len(ids):,} images were to be scored once each; {len(indices):,} {what}, such as {ids[indices[0]]}"
            )
    unreadable, truncated = (
        tuple(ids[i] for i in sorted(which)) for which in (measures.unreadable, measures.truncated)
    )
    return Coverage(len(ids), len(ids) - len(unreadable), unreadable, len(duplicated), truncated)
