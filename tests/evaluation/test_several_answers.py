from __future__ import annotations

import numpy as np
import pytest
import torch
from examples import count
from timm.data.real_labels import RealLabelsImagenet

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Counts, only_classes


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


def test_ties_fall_to_the_lower_class() -> None:
    logits = torch.tensor([[0.0, 1.0, 1.0]])
    assert count(logits, torch.tensor([[2, -1]])) == Counts(1, 0, 1)
    assert count(logits, torch.tensor([[1, 2]])) == Counts(1, 1, 1)


def test_only_some_classes_compete() -> None:
    logits, classes = torch.randn(200, 50), [3, 7, 8, 20, 41, 42, 49]
    places = torch.randint(0, 7, (200,))
    assert count(logits, torch.tensor(classes)[places], classes) == count(logits[:, classes], places)
    assert torch.isinf(only_classes(logits, classes)).sum() == 200 * 43


def test_nan_is_still_seen() -> None:
    with pytest.raises(EvaluationError, match="NaN"):
        count(torch.full((1, 9), float("nan")), torch.tensor([2]), [2])
