"""Checks that every image was scored once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Measures
from densezoo.types import Coverage


def check_coverage(measures: Measures, ids: Sequence[str]) -> Coverage:
    """The coverage of a run: how many images were scored, and which are unreadable or truncated.

    Args:
        measures: of the whole run.
        ids: of all images.

    Raises:
        EvaluationError: an image was scored twice or not at all.
    """
    missing, duplicated = np.flatnonzero(measures.times_scored == 0), np.flatnonzero(measures.times_scored > 1)
    for fault, indices in (("were not scored", missing), ("were scored more than once", duplicated)):
        if len(indices):
            raise EvaluationError(
                f"{len(ids):,} images were to be scored once each; {len(indices):,} {fault}, such as {ids[indices[0]]}"
            )
    unreadable, truncated = (
        tuple(ids[i] for i in sorted(which)) for which in (measures.unreadable, measures.truncated)
    )
    return Coverage(len(ids), len(ids) - len(unreadable), unreadable, len(duplicated), truncated)
