"""ImageNet-C as its paper sums it up (Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261, section 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from densezoo.data.layouts.imagenet_c import CORRUPTIONS, EXTRA, NAME, SEVERITIES
from densezoo.results.weights import weakest_mark
from densezoo.types import EvalResult

#: {corruption: AlexNet's top-1 error, percent, mean over the five severities}. The authors' own, to which
#: https://github.com/hendrycks/robustness links ("Calculating the mCE"), as google-research/augmix has them
#: (imagenet.py, ALEXNET_ERR) and, by name, OpenMMLab's evaluator.
ALEXNET_ERRORS = {
    "gaussian_noise": 88.6428,
    "shot_noise": 89.4468,
    "impulse_noise": 92.2640,
    "defocus_blur": 81.9880,
    "glass_blur": 82.6268,
    "motion_blur": 78.5948,
    "zoom_blur": 79.8360,
    "snow": 86.6816,
    "frost": 82.6572,
    "fog": 81.9324,
    "brightness": 56.4592,
    "contrast": 85.3204,
    "elastic_transform": 64.6056,
    "pixelate": 71.7840,
    "jpeg_compression": 60.6500,
}


def corruption_errors(results: Iterable[EvalResult]) -> dict[str, float]:
    """{corruption: top-1 error, percent, mean over the five severities} of the corruptions with all five severities.

    Args:
        results: of one network under one protocol; those of other datasets are left out.
    """
    errors = {
        result.subset: 100 * (result.num_samples - result.correct1) / result.num_samples
        for result in results
        if result.dataset == NAME
    }
    by_corruption = {
        name: [errors.get(f"{name}/{severity}") for severity in SEVERITIES] for name in CORRUPTIONS + EXTRA
    }
    measured = {name: [error for error in five if error is not None] for name, five in by_corruption.items()}
    return {name: fmean(five) for name, five in measured.items() if len(five) == len(SEVERITIES)}


def mean_error(errors: Mapping[str, float]) -> float | None:
    """The mean error over the 15 corruptions, percent; None if one is missing.

    Args:
        errors: of `corruption_errors`.
    """
    return fmean(errors[name] for name in CORRUPTIONS) if errors.keys() >= {*CORRUPTIONS} else None


def mean_corruption_error(errors: Mapping[str, float]) -> float | None:
    """mCE: the mean over the 15 corruptions of the error in percent of AlexNet's error; None if one is missing.

    As in the paper, errors are summed over the severities before they are divided.

    Args:
        errors: of `corruption_errors`.
    """
    is_complete = mean_error(errors) is not None
    return fmean(100 * errors[name] / ALEXNET_ERRORS[name] for name in CORRUPTIONS) if is_complete else None


def corruption_rows(results: Sequence[EvalResult]) -> list[dict[str, str]]:
    """A row {column: text} for each model, protocol and file of weights: mCE, mean error, error by corruption, percent.

    Args:
        results: of any dataset; only ImageNet-C's count.
    """
    groups: dict[tuple[str, str, str], list[EvalResult]] = {}
    for result in results:
        if result.dataset == NAME:
            conditions = str(dataclasses.replace(result.conditions, subset=None))
            groups.setdefault((result.model, conditions, result.weights_sha256), []).append(result)
    errors = {key: corruption_errors(group) for key, group in groups.items()}
    columns = [
        name for name in CORRUPTIONS + EXTRA if name in CORRUPTIONS or any(name in row for row in errors.values())
    ]
    return [
        {
            "model": key[0] + weakest_mark(groups[key]),
            "protocol": key[1],
            "measured": f"{_counting(groups[key])} of {len(CORRUPTIONS) * len(SEVERITIES)} sets",
            "images a set": _range([result.num_samples for result in groups[key]]),
            "mCE": _percent(mean_corruption_error(row)),
            "mean error": _percent(mean_error(row)),
            **{name.replace("_", " "): _percent(row.get(name)) for name in columns},
        }
        for key, row in errors.items()
    ]


def _counting(results: Sequence[EvalResult]) -> int:
    """The number of results of one of the 15 corruptions."""
    return sum(str(result.subset).partition("/")[0] in CORRUPTIONS for result in results)


def _range(numbers: Sequence[int]) -> str:
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
