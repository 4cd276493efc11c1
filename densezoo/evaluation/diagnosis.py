"""Why an accuracy is wrong: labels that were counted, ordered or numbered otherwise than the network's.

A network that does its job on data whose labels are permuted predicts, for each label, mostly one class. The
permutation that explains the most predictions is an assignment problem; where it explains far more than the labels
do, it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Permutation = NDArray[np.intp]  # [label in the data] -> class of the network


def _by_one(step: int) -> Callable[[int], Permutation]:
    return lambda n: (np.arange(n) + step) % n


#: {what is said of it: permutation of n classes}, the usual mistakes.
KNOWN: dict[str, Callable[[int], Permutation]] = {
    "the labels are one too high (they count from 1)": _by_one(-1),
    "the labels are one too low": _by_one(1),
    "the class numbers were sorted as text (0, 1, 10, 100, 2, ...)": lambda n: np.array(
        sorted(range(n), key=str), dtype=np.intp
    ),
    "the classes are in reverse order": lambda n: np.arange(n)[::-1],
}


def explain_labels(table: NDArray[np.int64], class_names: Sequence[str] | None = None) -> str | None:
    """What permutation of the classes explains the predictions, if the labels as they are don't; None: nothing does.

    Args:
        table: (num_classes, num_classes) images by label and by the class that the network puts first.
        class_names: for the message.
    """
    num_classes = len(table)
    total, agreed = int(table.sum()), int(np.trace(table))
    if 2 * agreed >= total:
        return None
    best = _best_permutation(table)
    explained = int(table[np.arange(num_classes), best].sum())
    seen = np.flatnonzero(table.sum(1))
    if not _is_convincing(total, agreed, explained, len(seen)):
        return None
    shares = f"{agreed:,} of {total:,} predictions agree with the labels, {explained:,} with permuted ones"
    for reason, permutation in KNOWN.items():
        if int(table[np.arange(num_classes), permutation(num_classes)].sum()) >= 0.95 * explained:
            return f"{shares}: {reason}"
    names = class_names or [str(i) for i in range(num_classes)]
    moved = [f"{names[label]} -> {names[int(best[label])]}" for label in seen.tolist() if label != best[label]]
    listed = ", ".join(moved[:10]) + (", ..." if len(moved) > 10 else "")
    return f"{shares}: the classes are in another order ({listed})"


def _best_permutation(table: NDArray[np.int64]) -> Permutation:
    from scipy.optimize import linear_sum_assignment

    columns: Permutation = linear_sum_assignment(table, maximize=True)[1]
    return columns


def _is_convincing(total: int, agreed: int, explained: int, seen: int) -> bool:
    """Half of the images explained, twice what the labels explain, and too many images for a fit by chance.

    With few images a class, some permutation fits random predictions well; hence ten images a class.
    """
    return total >= 10 * seen and explained >= total / 2 and explained > 2 * agreed
