"""``densezoo card``."""

from __future__ import annotations

import pytest

from densezoo.commands import card
from densezoo.paths import ROOT


def test_it_prints_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert card.main(["densenet121.tv_in1k"]) == 0
    assert capsys.readouterr().out == (ROOT / "docs/models/densenet121.md").read_text()


def test_with_the_hub_s_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    assert card.main(["densenet121.tv_in1k", "--hub"]) == 0
    assert capsys.readouterr().out.startswith("---\ndatasets:\n- imagenet-1k\n")


def test_an_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert card.main(["densenet99.tv_in1k"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no model 'densenet99.tv_in1k'")
