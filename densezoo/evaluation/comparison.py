"""Is A really better than B? Two runs over the same images, compared image by image."""

from __future__ import annotations

from dataclasses import dataclass

from densezoo.errors import EvaluationError
from densezoo.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Comparison:
    """McNemar's test: only images that one run has right and the other wrong tell the two apart.

    McNemar, Q. (1947), Note on the sampling error of the difference between correlated proportions, Psychometrika 12.

    Args:
        both, only_first, only_second, neither: images by who has them right.
        chi2: (only_first - only_second)^2 / (only_first + only_second); 0 where the runs agree everywhere.
        p_value: how probable a difference this large is between equally good runs, by the exact binomial test.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    chi2: float
    p_value: float


def mcnemar(both: int, only_first: int, only_second: int, neither: int) -> Comparison:
    """The test of a table of four counts."""
    from scipy.stats import binomtest

    apart = only_first + only_second
    chi2 = (only_first - only_second) ** 2 / apart if apart else 0.0
    p_value = float(binomtest(only_first, apart).pvalue) if apart else 1.0
    return Comparison(both, only_first, only_second, neither, chi2, p_value)


def compare(first: Predictions, second: Predictions) -> Comparison:
    """Two runs over the same images.

    Raises:
        EvaluationError: the runs are over different images or labels.
    """
    one, other = (run.facts.dataset_fingerprint for run in (first, second))
    if one != other:
        raise EvaluationError(
            f"{first.path} and {second.path} are over different images or labels "
            f"(dataset_fingerprint {one[:12]}... and {other[:12]}...); only runs over the same ones can be compared"
        )
    a, b = first.right(), second.right()
    return mcnemar(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))
