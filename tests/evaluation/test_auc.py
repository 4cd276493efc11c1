from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from densezoo.evaluation.auc import area_under_roc

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("levels", [3, 50, 10**6])
def test_the_area_is_scikit_learn_s(levels: int) -> None:
    has_label = RANDOM.random(200) < 0.3
    scores = RANDOM.integers(0, levels, 200) + 0.4 * levels * has_label
    area = area_under_roc(scores, has_label)
    assert area is not None
    assert area.value == pytest.approx(roc_auc_score(has_label, scores), abs=1e-12)
    assert (area.positives, area.negatives) == (int(has_label.sum()), 200 - int(has_label.sum()))


def test_an_interval_by_hand() -> None:
    """Positives 3, 1; negatives 2, 0, 1: above are 3/3 and 1.5/3; below are 1/2, 2/2 and 1.5/2 of the positives."""
    area = area_under_roc(np.array([3.0, 1.0, 2.0, 0.0, 1.0]), np.array([True, True, False, False, False]))
    assert area is not None
    assert area.value == 0.75
    deviation = math.sqrt(((0.25**2) * 2 / 1) / 2 + ((0.25**2) * 2 / 2) / 3)  # = sqrt(1/16 + 1/48)
    reach = 1.959963984540054 * deviation / (0.75 * 0.25)
    assert area.low == pytest.approx(1 / (1 + math.exp(-(math.log(3) - reach))))
    assert area.high == pytest.approx(1 / (1 + math.exp(-(math.log(3) + reach))))


def test_the_interval_is_the_bootstrap_s() -> None:
    """Of a few hundred images both methods agree within the noise of the draws."""
    has_label = np.arange(400) < 120
    scores = RANDOM.normal(size=400) + 1.0 * has_label
    area, drawn = area_under_roc(scores, has_label), []
    assert area is not None
    for _ in range(300):
        chosen = np.concatenate([RANDOM.integers(0, 120, 120), RANDOM.integers(120, 400, 280)])
        again = area_under_roc(scores[chosen], has_label[chosen])
        assert again is not None
        drawn.append(again.value)
    assert np.percentile(drawn, [2.5, 97.5]) == pytest.approx([area.low, area.high], abs=0.02)


def test_scores_that_part_all_images_are_no_certainty() -> None:
    part = area_under_roc(np.arange(10.0), np.arange(10) >= 6)
    assert part is not None
    assert (part.value, part.high) == (1.0, 1.0)
    assert part.low == pytest.approx(0.025**0.25)  # four disjoint pairs, all in order
    turned = area_under_roc(-np.arange(10.0), np.arange(10) >= 6)
    assert turned is not None
    assert (turned.value, turned.low) == (0.0, 0.0)
    assert turned.high == pytest.approx(1 - 0.025**0.25)


def test_a_single_image_on_one_side() -> None:
    area = area_under_roc(np.array([1.0, 0.0, 2.0]), np.array([True, False, False]))
    assert area is not None
    assert (area.value, area.low, area.high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("all_have_it", [True, False])
def test_no_area_without_both_sides(all_have_it: bool) -> None:
    assert area_under_roc(np.arange(3.0), np.full(3, all_have_it)) is None


def test_equal_scores_are_half_right() -> None:
    area = area_under_roc(np.zeros(6), np.arange(6) < 3)
    assert area is not None
    assert area.value == 0.5
