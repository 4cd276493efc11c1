"""Checks that every image was scored once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import EvaluationError
from densezoo.types import Coverage


class Scored(Protocol):
    """What is known of the images of a whole run: how often each was scored, and which have a fault.

    Args:
        times_scored: (images of the run,).
        unreadable, truncated: indices.
    """

    @property
    def times_scored(self) -> NDArray[np.int32]: ...
    @property
    def unreadable(self) -> Sequence[int]: ...
    @property
    def truncated(self) -> Sequence[int]: ...


def check_coverage(measures: Scored, ids: Sequence[str], sampled_from: int | None = None) -> Coverage:
    """The coverage of a run: how many images were scored, and which are unreadable or truncated.

    Args:
        measures: of the whole run.
        ids: of all images of the run.
        sampled_from: images of the dataset, if the run is over a sample of it; None: it is over all.

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
    expected = len(ids) if sampled_from is None else sampled_from
    return Coverage(expected, len(ids) - len(unreadable), unreadable, len(duplicated), truncated)
