"""Explains a low accuracy by labels that are counted, ordered or numbered otherwise than the network's.

If the labels of the data are permuted, a good network predicts for each label mostly one class. Finding the permutation
that explains most predictions is an assignment problem; if it explains far more than the labels do, it is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import some

Permutation = NDArray[np.intp]  # [label in the data] -> class of the network


def _by_one(step: int) -> Callable[[int], Permutation]:
    return lambda n: (np.arange(n) + step) % n


#: {explanation of a usual mistake: number of classes -> the permutation}.
KNOWN: dict[str, Callable[[int], Permutation]] = {
    "the labels are one too high (they count from 1)": _by_one(-1),
    "the labels are one too low": _by_one(1),
    "the class numbers were sorted as text (0, 1, 10, 100, 2, ...)": lambda n: np.array(
        sorted(range(n), key=str), dtype=np.intp
    ),
    "the classes are in reverse order": lambda n: np.arange(n)[::-1],
}


def explain_labels(table: NDArray[np.int64], class_names: Sequence[str] | None = None) -> str | None:
    """Describe the permutation of the classes that explains the predictions; None: the labels do, or nothing does.

    Args:
        table: (num_classes, num_classes) number of images by label and by predicted class.
        class_names: for the message; None: numbers.
    """
    num_classes = len(table)
    total, agreed = int(table.sum()), int(np.trace(table))
    if 2 * agreed >= total:
        return None
    labels = np.flatnonzero(table.sum(1))
    most = min(int(table.max(0).sum()), int(table.max(1).sum()))  # that any permutation explains; scipy takes 0.3 s
    if not _is_convincing(total, agreed, most, len(labels)):
        return None
    best = _best_permutation(table)
    explained = int(table[np.arange(num_classes), best].sum())
    if not _is_convincing(total, agreed, explained, len(labels)):
        return None
    shares = f"{agreed:,} of {total:,} predictions agree with the labels, {explained:,} with permuted ones"
    for reason, permutation in KNOWN.items():
        if int(table[np.arange(num_classes), permutation(num_classes)].sum()) >= 0.95 * explained:
            return f"{shares}: {reason}"
    names = class_names or [str(i) for i in range(num_classes)]
    moved = [f"{names[label]} -> {names[int(best[label])]}" for label in labels.tolist() if label != best[label]]
    return f"{shares}: the classes are in another order ({some(moved, 10)})"


def _best_permutation(table: NDArray[np.int64]) -> Permutation:
    from scipy.optimize import linear_sum_assignment

    columns: Permutation = linear_sum_assignment(table, maximize=True)[1]
    return columns


def _is_convincing(total: int, agreed: int, explained: int, num_labels: int) -> bool:
    """Whether half of the images are explained, twice as many as by the labels, and too many for a fit by chance.

    With few images in a class, some permutation fits random predictions well; hence ten images a class are demanded.
    """
    return total >= 10 * num_labels and explained >= total / 2 and explained > 2 * agreed
