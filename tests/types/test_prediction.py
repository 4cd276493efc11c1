from __future__ import annotations

import pytest

from densezoo.types import Answer, Prediction


def test_the_first_answer_is_the_prediction() -> None:
    found = Prediction("a.png", (Answer(8, "ship", 0.75), Answer(0, "airplane", 0.25)))
    assert (found.label, found.name, found.probability) == (8, "ship", 0.75)
    assert repr(found) == "<Prediction a.png: ship, 75.00 %>"


def test_a_prediction_without_answers_can_be_shown() -> None:
    assert repr(Prediction("a.png", ())) == "<Prediction a.png: no answer>"


def test_an_image_that_cannot_be_read_has_none() -> None:
    found = Prediction("a.png", (), error="a.png: truncated")
    assert repr(found) == "<Prediction a.png: truncated>"
    for name in ("label", "name", "probability"):
        with pytest.raises(ValueError, match=r"a\.png has no answer: a\.png: truncated"):
            getattr(found, name)
