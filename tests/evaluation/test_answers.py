from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from densezoo.data.loading import Batch
from densezoo.errors import EvaluationError, ImageError
from densezoo.evaluation.answers import Answers
from densezoo.evaluation.predicted_labels import PredictedLabels
from densezoo.types import Answer, Prediction

NAMES = ["cat", "dog", "ship"]


def batch(num_images: int, unreadable: tuple[int, ...] = (), first: int = 0) -> Batch:
    errors = {position: ImageError(f"image {position}: broken") for position in unreadable}
    pixels = torch.zeros(num_images - len(errors), 1, 1, 1, dtype=torch.uint8)
    truncated = torch.tensor([position == 1 for position in range(num_images)])
    return Batch(torch.arange(first, first + num_images), pixels, torch.zeros(num_images), errors, truncated)


def answered(logits: list[list[float]], made: Answers, of: Batch) -> list[Prediction]:
    def computed() -> Tensor:
        return torch.tensor(logits)

    return made([computed], [of])


def test_probabilities_are_a_softmax_and_of_equal_logits_the_lower_class_is_first() -> None:
    first, second = answered([[0.0, math.log(2.0), 0.0], [1.0, 1.0, 1.0]], Answers("ab", NAMES, 2), batch(2))
    assert [(a.label, a.name) for a in first.answers] == [(1, "dog"), (0, "cat")]
    assert [a.probability for a in first.answers] == pytest.approx([0.5, 0.25])
    assert [a.label for a in second.answers] == [0, 1]
    assert [a.probability for a in second.answers] == pytest.approx([1 / 3, 1 / 3])
    assert (first.image, second.image, first.truncated, second.truncated) == ("a", "b", False, True)


def test_several_right_answers_have_a_probability_each() -> None:
    (found,) = answered([[0.0, 0.0, -math.log(3.0)]], Answers("a", NAMES, 5, multi_label=True), batch(1))
    assert [a.probability for a in found.answers] == pytest.approx([0.5, 0.5, 0.25])


def test_an_image_that_cannot_be_read_keeps_its_place() -> None:
    found = answered([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]], Answers("abcd", NAMES, 1), batch(4, unreadable=(0, 2)))
    assert [p.image for p in found] == list("abcd")
    assert [p.error for p in found] == ["image 0: broken", None, "image 2: broken", None]
    assert [p.answers and p.name for p in found] == [(), "dog", (), "ship"]
    none = Answers("ab", NAMES, 1)([lambda: pytest.fail("there is nothing to compute")], [batch(2, unreadable=(0, 1))])
    assert [p.answers for p in none] == [(), ()]


def test_a_later_batch_s_images_have_their_own_names() -> None:
    answers = Answers("abcde", NAMES, 1)
    assert [p.image for p in answered([[1.0, 0.0, 0.0]], answers, batch(2, unreadable=(0,), first=3))] == ["d", "e"]


def test_broken_logits_and_names() -> None:
    with pytest.raises(EvaluationError, match="NaN or infinity"):
        answered([[0.0, math.nan, 0.0]], Answers("a", NAMES, 1), batch(1))
    with pytest.raises(EvaluationError, match="the network has 2 outputs, and there are 3 names"):
        answered([[0.0, 1.0]], Answers("a", NAMES, 1), batch(1))


def test_an_answer_is_a_class_its_name_and_its_probability() -> None:
    (found,) = answered([[0.0, 0.0, 80.0]], Answers("a", NAMES, 1), batch(1))
    assert found == Prediction("a", (Answer(2, "ship", 1.0),))


def test_logits_are_kept_of_what_can_be_read() -> None:
    rows = ["0.png", "1.png", "2.png", "3.png"]
    kept = PredictedLabels(rows, {"0.png": (0,), "1.png": (1,), "2.png": (0,), "3.png": (2,)}, NAMES)
    found = answered([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]], Answers(rows, NAMES, 1, True, kept), batch(4, (0, 2)))
    assert [len(p.answers) for p in found] == [0, 1, 0, 1]
    areas = kept.areas()
    assert (areas.num_images, areas.left_out) == (2, 2)
    assert [label.auc for label in areas.labels] == [None, 1.0, 1.0]
