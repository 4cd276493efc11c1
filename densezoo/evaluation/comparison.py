"""Compares two runs over the same images, image by image, and tests whether one is better."""

from __future__ import annotations

from dataclasses import dataclass

from densezoo.errors import EvaluationError
from densezoo.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Comparison:
    """The result of McNemar's test, which uses the images that only one of two runs has right.

    McNemar, Q. (1947), Note on the sampling error of the difference between correlated proportions, Psychometrika 12.

    Args:
        both, only_first, only_second, neither: number of images that both runs have right, only one has, or none.
        chi2: (only_first - only_second)^2 / (only_first + only_second); 0 if the runs agree on every image.
        p_value: probability of a difference at least this large between equally good runs, by the exact binomial test.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    chi2: float
    p_value: float


def mcnemar(both: int, only_first: int, only_second: int, neither: int) -> Comparison:
    """McNemar's test of a table of four counts.

    Args:
        both: number of images that both runs have right.
        only_first, only_second: number that only one of them has right.
        neither: number that none has right.
    """
    from scipy.stats import binomtest

    apart = only_first + only_second
    chi2 = (only_first - only_second) ** 2 / apart if apart else 0.0
    p_value = float(binomtest(only_first, apart).pvalue) if apart else 1.0
    return Comparison(both, only_first, only_second, neither, chi2, p_value)


def compare_runs(first: Predictions, second: Predictions) -> Comparison:
    """Compare two runs over the same images.

    Args:
        first, second: the runs.

    Raises:
        EvaluationError: the runs are over different images or labels.
    """
    fingerprints = [run.facts.dataset_fingerprint for run in (first, second)]
    if fingerprints[0] != fingerprints[1]:
        raise EvaluationError(
            f"{first.path} and {second.path} are over different images or labels (dataset_fingerprint "
            f"{fingerprints[0][:12]}... and {fingerprints[1][:12]}...); only runs over the same ones can be compared"
        )
    a, b = first.right(), second.right()
    return mcnemar(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))
