"""The area under the ROC curve of one label, with its 95 % interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezoo.evaluation.metrics import Z95


@dataclass(frozen=True)
class Auc:
    """How well scores tell the images that have a label from those that haven't.

    Args:
        value: the share of pairs of an image with the label and one without it in which the first has the higher
            score, 0 to 1; equal scores count half.
        low, high: its 95 % interval.
        positives, negatives: images with and without the label.
    """

    value: float
    low: float
    high: float
    positives: int
    negatives: int


def area_under_roc(scores: NDArray[np.floating], has_label: NDArray[np.bool_]) -> Auc | None:
    """The area under the ROC curve; None if all images have the label, or none.

    The interval is DeLong's (1988), on the scale of log(area / (1 - area)), which keeps it within 0 to 1. Where one
    side is a single image nothing is known of its spread, and the interval is 0 to 1. Where no pair is in the wrong
    order (or all are) DeLong's variance is 0; the limit is then the exact one of as many disjoint pairs as there are.

    Args:
        scores: (N,), higher for the label; finite.
        has_label: (N,).
    """
    positive, negative = scores[has_label], scores[~has_label]
    m, n = len(positive), len(negative)
    if not m or not n:
        return None
    above = (_midranks(scores)[has_label] - _midranks(positive)) / n  # share of negatives below each positive
    below = 1 - (_midranks(scores)[~has_label] - _midranks(negative)) / m  # share of positives above each negative
    area = float(above.mean())
    if min(m, n) == 1:
        return Auc(area, 0.0, 1.0, m, n)
    deviation = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    if deviation == 0 or not 0 < area < 1:
        limit = 0.025 ** (1 / min(m, n))
        low, high = (limit, 1.0) if area == 1 else (0.0, 1 - limit) if area == 0 else (area, area)
        return Auc(area, low, high, m, n)
    middle, reach = math.log(area / (1 - area)), Z95 * deviation / (area * (1 - area))
    return Auc(area, _logistic(middle - reach), _logistic(middle + reach), m, n)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _midranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rank of each value among all, from 1; equal values share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    midranks: NDArray[np.float64] = (last - (counts - 1) / 2)[places]
    return midranks
