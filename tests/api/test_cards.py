"""One model's card by a function call."""

from __future__ import annotations

import pytest

import densezoo
from densezoo.errors import UnknownNameError
from densezoo.paths import ROOT


def test_it_is_the_architecture_s() -> None:
    assert densezoo.model_card("densenet121.tv_in1k") == (ROOT / "docs/models/densenet121.md").read_text()


def test_the_examples_are_of_the_model_that_was_asked_for() -> None:
    card = densezoo.model_card("densenet121.ra_in1k")
    assert 'densezoo.create_model("densenet121.ra_in1k", pretrained=True)' in card
    assert "densenet121.tv_in1k |" in card


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no model 'densenet121.tv_in1'"):
        densezoo.model_card("densenet121.tv_in1")
