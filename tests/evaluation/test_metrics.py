from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Counts, count, percent, wilson_interval


def test_counts_by_hand() -> None:
    logits = torch.tensor(
        [
            [9.0, 1, 2, 3, 4, 5, 6],  # label 0: rank 0
            [1.0, 9, 8, 7, 6, 5, 4],  # label 0: the lowest, rank 6
            [5.0, 9, 8, 7, 6, 1, 2],  # label 0: rank 4, the last among five
            [4.5, 9, 8, 7, 6, 5, 2],  # label 0: rank 5, just out
        ]
    )
    assert count(logits, torch.zeros(4, dtype=torch.int64)) == Counts(4, correct1=1, correct5=2)


def test_ties_fall_to_the_lower_index() -> None:
    logits = torch.zeros(2, 10)
    assert count(logits, torch.tensor([0, 4])) == Counts(2, correct1=1, correct5=2)
    assert count(logits, torch.tensor([1, 5])) == Counts(2, correct1=0, correct5=1)


def test_three_classes_are_all_among_the_first_five() -> None:
    assert count(torch.randn(8, 3), torch.randint(0, 3, (8,))).correct5 == 8


def test_nan_is_an_error_and_not_a_hit() -> None:
    with pytest.raises(EvaluationError, match="NaN"):
        count(torch.tensor([[1.0, float("nan")]]), torch.tensor([1]))


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(2, 12), st.integers(0, 2**31))
def test_without_ties_it_is_topk(images: int, classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.stack([torch.randperm(classes, generator=generator) for _ in range(images)]).float()
    labels = torch.randint(0, classes, (images,), generator=generator)
    hits = logits.topk(min(5, classes)).indices == labels[:, None]
    assert count(logits, labels) == Counts(images, int(hits[:, 0].sum()), int(hits.sum()))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_counts_add_up_in_any_order(parts: list[tuple[int, int, int]]) -> None:
    forwards = sum((Counts(*part) for part in parts), Counts())
    backwards = sum((Counts(*part) for part in reversed(parts)), Counts())
    assert forwards == backwards == Counts(*(sum(column) for column in zip(*parts)))


def test_percent() -> None:
    assert percent(9454, 10000) == 94.54
    assert Counts(10000, 9454, 9984).percentages() == {"top1": 94.54, "top5": 99.84}


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # Wilson's interval as statsmodels.stats.proportion.proportion_confint(method="wilson") gives it
        (9454, 10000, 94.0786, 94.9669),
        (5, 10, 23.6593, 76.3407),
        (0, 10, 0.0, 27.7533),
        (10, 10, 72.2467, 100.0),
    ],
)
def test_wilson(correct: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=2e-3)
