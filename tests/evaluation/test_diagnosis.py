from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from densezoo.data.images import ArrayImages
from densezoo.evaluation import diagnosis

Labels: TypeAlias = "NDArray[np.int64]"


def explain_labels(labels: Labels, predictions: Labels, num_classes: int, names: list[str] | None = None) -> str | None:
    """Of one label and one prediction an image."""
    table = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(table, (labels, predictions), 1)
    return diagnosis.explain_labels(table, names)


def predicted(truth: np.ndarray, accuracy: float, num_classes: int) -> np.ndarray:
    generator = np.random.default_rng(1)
    wrong = generator.integers(0, num_classes, len(truth))
    return np.where(generator.random(len(truth)) < accuracy, truth, wrong)


def images(num_classes: int, each: int = 20) -> np.ndarray:
    return np.repeat(np.arange(num_classes), each)


@pytest.mark.parametrize(
    ("permutation", "reason"),
    [
        (lambda n: (np.arange(n) + 1) % n, "one too high (they count from 1)"),
        (lambda n: (np.arange(n) - 1) % n, "one too low"),
        (lambda n: np.arange(n)[::-1], "reverse order"),
        (lambda n: np.argsort(sorted(range(n), key=str)), "sorted as text"),
    ],
)
@pytest.mark.parametrize("accuracy", [0.65, 0.95])
def test_the_usual_mistakes_are_named(permutation: Callable[[int], Labels], reason: str, accuracy: float) -> None:
    truth = images(100)
    found = explain_labels(permutation(100)[truth], predicted(truth, accuracy, 100), 100)
    assert found is not None
    assert reason in found


def test_another_order_is_spelled_out() -> None:
    truth = images(4, 50)
    labels = np.array([2, 1, 3, 0])[truth]
    found = explain_labels(labels, predicted(truth, 0.9, 4), 4, ["ant", "bee", "cat", "dog"])
    assert found is not None
    assert "the classes are in another order (ant -> dog, cat -> ant, dog -> cat)" in found
    assert "of 200 predictions agree with the labels" in found


def test_right_labels_are_left_alone() -> None:
    truth = images(100)
    assert explain_labels(truth, predicted(truth, 0.75, 100), 100) is None
    assert explain_labels(truth, predicted(truth, 0.3, 100), 100) is None


@pytest.mark.parametrize("each", [1, 2, 20])
def test_chance_is_no_permutation(each: int) -> None:
    truth = images(1000, each)
    assert explain_labels(truth, predicted(truth, 0.0, 1000), 1000) is None


def test_a_network_that_says_one_thing_is_no_permutation() -> None:
    assert explain_labels(images(10), np.full(200, 3), 10) is None


def test_a_subset_of_the_classes() -> None:
    truth = np.repeat([3, 500, 900], 30)
    found = explain_labels(truth + 1, truth, 1000)
    assert found is not None
    assert "count from 1" in found


def test_an_evaluation_says_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from densezoo import api
    from densezoo.data import datasets
    from densezoo.data.layouts.arrays import digits

    config, checkpoint = api.DEMO
    right = api.evaluate_checkpoint(config, checkpoint, workers=0, device="cpu")
    assert not [message for message in caplog.messages if not message.startswith("backend: ")]

    def counted_from_one(split: str) -> ArrayImages:
        images = digits(split)
        return dataclasses.replace(images, labels=[(label + 1) % 10 for label in images.labels])

    monkeypatch.setitem(
        datasets.DATASETS, "digits", dataclasses.replace(datasets.DATASETS["digits"], built_in=counted_from_one)
    )
    wrong = api.evaluate_checkpoint(config, checkpoint, workers=0, device="cpu")
    assert wrong.top1 < 10 < right.top1
    (message,) = [message for message in caplog.messages if not message.startswith("backend: ")]
    assert f"{right.correct1} with permuted ones: the labels are one too high" in message


def test_the_permutation_is_not_looked_for_where_none_could_convince(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes scipy, whose import takes longer than ten images."""
    monkeypatch.setattr(diagnosis, "_best_permutation", None)
    truth = images(100, 9)
    assert explain_labels((truth + 1) % 100, truth, 100) is None, "too few images a class"
    assert explain_labels(images(4, 50), np.zeros(200, np.int64), 4) is None, "all predictions are one class"
