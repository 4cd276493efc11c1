from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from examples import count, records_of
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.data.real_labels import RealLabelsImagenet

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import (
    Counts,
    counted_wrong,
    mask_other_classes,
    measure,
    percent,
    score,
    wilson_interval,
)


def test_counts_by_hand() -> None:
    logits = torch.tensor(
        [
            [9.0, 1, 2, 3, 4, 5, 6],  # label 0: rank 0
            [1.0, 9, 8, 7, 6, 5, 4],  # label 0: the lowest, rank 6
            [5.0, 9, 8, 7, 6, 1, 2],  # label 0: rank 4, the last among five
            [4.5, 9, 8, 7, 6, 5, 2],  # label 0: rank 5, just out
        ]
    )
    records = score(logits, torch.zeros(4, dtype=torch.int64), torch.arange(4))
    assert records["rank"].tolist() == [0, 6, 4, 5]
    assert records["classes"][1].tolist() == [1, 2, 3, 4, 5]
    assert count(logits, torch.zeros(4, dtype=torch.int64)) == Counts(4, correct1=1, correct5=2)


def test_ties_fall_to_the_lower_index() -> None:
    logits = torch.zeros(2, 10)
    assert count(logits, torch.tensor([0, 4])) == Counts(2, correct1=1, correct5=2)
    assert count(logits, torch.tensor([1, 5])) == Counts(2, correct1=0, correct5=1)


def test_ties_among_a_thousand_classes() -> None:
    logits = torch.zeros(4, 1000)  # so many that a sort which isn't stable mixes them
    records = score(logits, torch.tensor([0, 4, 500, 999]), torch.arange(4))
    assert records["rank"].tolist() == [0, 4, 500, 999]
    assert (records["classes"] == np.arange(5)).all()


def test_three_classes_are_all_among_the_first_five() -> None:
    logits, labels = torch.randn(8, 3), torch.randint(0, 3, (8,))
    assert count(logits, labels).correct5 == 8
    records = score(logits, labels, torch.arange(8))
    assert (records["classes"][:, 3:] == -1).all()
    assert records["probabilities"].sum(1) == pytest.approx(np.ones(8), abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("label", [0, 1])
def test_no_number_is_an_error_and_not_a_hit(value: float, label: int) -> None:
    with pytest.raises(EvaluationError, match="NaN or infinity"):
        count(torch.tensor([[1.0, value]]), torch.tensor([label]))


def test_a_loss_that_no_float_holds_is_an_error() -> None:
    with pytest.raises(EvaluationError, match=r"a loss is 6.0e\+38, more than float32 holds"):
        count(torch.tensor([[3e38, -3e38]]), torch.tensor([1]))


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(2, 12), st.integers(0, 2**31))
def test_without_ties_it_is_topk(images: int, classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.stack([torch.randperm(classes, generator=generator) for _ in range(images)]).float()
    labels = torch.randint(0, classes, (images,), generator=generator)
    (measures,) = measure([score(logits, labels, torch.arange(images))], classes, images)
    for k in range(1, classes + 1):
        assert measures.correct(k) == int((logits.topk(k).indices == labels[:, None]).sum())


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31), st.lists(st.integers(0, 60), max_size=4))
def test_measures_add_up_to_the_bit_in_any_parts_and_order(images: int, seed: int, cuts: list[int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(images, 7, generator=generator) * 3, torch.arange(images) % 7
    records = score(logits, labels, torch.arange(images))
    (whole,) = measure([records], 7, images)
    summed = None
    for part in reversed(np.split(records, sorted(cuts))):
        (found,) = measure([part[::-1]], 7, images)
        summed = found if summed is None else found + summed
    assert summed is not None
    for name, value in vars(whole).items():
        assert np.array_equal(getattr(summed, name), value), name
    assert summed.mean_loss() == whole.mean_loss()


def test_loss_is_cross_entropy() -> None:
    logits, labels = torch.randn(50, 9) * 4, torch.randint(0, 9, (50,))
    (measures,) = measure([score(logits, labels, torch.arange(50))], 9, 50)
    assert measures.mean_loss() == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), rel=1e-6)


def test_a_loss_is_counted_to_the_nearest_step() -> None:
    records = records_of([0.5, 0.5], ranks=[0, 0])
    records["loss"] = 0.75 * 2.0**-32, 1.25 * 2.0**-32
    assert measure([records], 2, 2)[0].loss == 2


def test_calibration_by_hand() -> None:
    # two of three right at 0.7 (bin 11), one of two right at 0.95 (bin 15): (3 x |2/3 - 0.7| + 2 x |1/2 - 0.95|) / 5
    records = records_of([0.7, 0.7, 0.7, 0.95, 0.95], ranks=[0, 0, 1, 0, 1])
    (measures,) = measure([records], 2, 5)
    assert measures.calibration_error() == pytest.approx(20.0, abs=1e-4)
    low, high = measures.reliability()
    assert low == pytest.approx((3, 0.7, 2 / 3))
    assert high == pytest.approx((2, 0.95, 0.5))


@pytest.mark.parametrize(
    ("confidence", "place"), [(0.0, 0), (0.0666, 0), (0.0667, 1), (0.5, 7), (0.9333, 13), (1.0, 14)]
)
def test_bins_of_confidence(confidence: float, place: int) -> None:
    (measures,) = measure([records_of([confidence], ranks=[0])], 2, 1)
    assert measures.bins[:, 0].tolist() == [int(i == place) for i in range(15)]


def test_classes_and_confusions_by_hand() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    predicted = torch.tensor([0, 1, 1, 1, 0, 0])
    logits = torch.nn.functional.one_hot(predicted, 4).float()
    (measures,) = measure([score(logits, labels, torch.arange(6))], 4, 6)
    assert measures.per_class() == [(0, 1, 3), (1, 1, 2), (2, 0, 1)]
    assert measures.confusions(9) == [(0, 1, 2), (1, 0, 1), (2, 0, 1)]
    assert measures.confusions(1) == [(0, 1, 2)]


def test_what_can_t_be_read_is_wrong_and_has_no_confidence() -> None:
    logits, labels = torch.tensor([[0.0, 5.0]]), torch.tensor([1])
    read, unread = score(logits, labels, torch.tensor([0])), counted_wrong(torch.tensor([1]), torch.tensor([[1, 3]]))
    (both,), (alone,) = (measure([np.concatenate(parts)], 2, 2) for parts in ([read, unread], [read]))
    assert both.counts() == Counts(2, 1, 1)
    assert both.unreadable == [1]
    assert both.totals.tolist() == [0, 2]
    assert both.mean_loss() == alone.mean_loss()
    assert both.calibration_error() == alone.calibration_error()
    (nothing,) = measure([unread], 2, 2)
    assert nothing.counts() == Counts(1, 0, 0)
    assert nothing.mean_loss() is nothing.calibration_error() is None


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


def test_sets_of_answers_are_counted_as_timm_does() -> None:
    generator = np.random.default_rng(0)
    theirs = RealLabelsImagenet([f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 50_001)])  # type: ignore[no-untyped-call]
    names = [f"ILSVRC2012_val_{i:08d}.JPEG" for i in generator.choice(50_000, 600, replace=False) + 1]
    logits = torch.from_numpy(generator.normal(size=(600, 1000)).astype(np.float32))
    for i, name in enumerate(names):  # a network that is right now and then
        for answer in theirs.real_labels[name][:1]:
            logits[i, answer] += float(generator.normal(3, 1))
    theirs.filenames = names
    theirs.add_result(logits)  # type: ignore[no-untyped-call]
    kept = [i for i, name in enumerate(names) if theirs.real_labels[name]]
    sets = [theirs.real_labels[names[i]] for i in kept]
    labels = torch.full((len(kept), max(map(len, sets))), -1)
    for row, answers in zip(labels, sets):
        row[: len(answers)] = torch.tensor(sorted(answers))
    ours = count(logits[kept], labels)
    expected = {f"top{k}": theirs.get_accuracy(k) for k in (1, 5)}  # type: ignore[no-untyped-call]
    assert ours.percentages() == pytest.approx(expected)
    assert 100 < ours.correct1 < ours.correct5 < ours.num_samples


def test_one_answer_as_a_set_is_that_answer() -> None:
    logits, labels = torch.randn(50, 20), torch.randint(0, 20, (50,))
    assert count(logits, labels) == count(logits, labels[:, None])


def test_ties_among_several_answers_fall_to_the_lower_class() -> None:
    logits = torch.tensor([[0.0, 1.0, 1.0]])
    assert count(logits, torch.tensor([[2, -1]])) == Counts(1, 0, 1)
    assert count(logits, torch.tensor([[1, 2]])) == Counts(1, 1, 1)
    assert count(-logits, torch.tensor([[0, 2]])) == Counts(1, 1, 1)


def test_only_some_classes_compete() -> None:
    logits, classes = torch.randn(200, 50), [3, 7, 8, 20, 41, 42, 49]
    places = torch.randint(0, 7, (200,))
    assert count(logits, torch.tensor(classes)[places], classes) == count(logits[:, classes], places)
    assert torch.isinf(mask_other_classes(logits, classes)).sum() == 200 * 43
    masked = score(logits, torch.tensor(classes)[places], places, classes=classes)
    assert masked["loss"] == pytest.approx(score(logits[:, classes], places, places)["loss"])


def test_nan_is_still_seen() -> None:
    with pytest.raises(EvaluationError, match="NaN"):
        count(torch.full((1, 9), float("nan")), torch.tensor([2]), [2])
