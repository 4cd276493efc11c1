from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.results.pictures import PICTURES, drawn, facts_of, is_current, sample_photograph

SPECS = load_index()


@pytest.mark.parametrize("path", PICTURES)
def test_a_committed_picture_is_what_is_drawn_today(path: str) -> None:
    picture = PICTURES[path]
    facts = facts_of(picture, SPECS)
    assert is_current(ROOT / path, facts)
    now, committed = (
        np.asarray(Image.open(source).convert("RGB"), np.int16)
        for source in (BytesIO(drawn(picture, facts)), ROOT / path)
    )
    assert now.shape == committed.shape
    differs = np.abs(now - committed).max(axis=2) > 32
    assert differs.mean() < 0.002  # another release of a library may move single pixels


def test_it_shows_what_is_published() -> None:
    facts = facts_of(PICTURES["docs/pictures/protocols.png"], SPECS)
    assert facts["top-1"] == {
        "torchvision": "74.434",
        "timm": "74.750",
        "mmpretrain": "74.96",
        "keras": "74.972",
        "torch7": "75.0",
    }


def test_a_changed_fact_is_seen_without_drawing(tmp_path: Path) -> None:
    (path, picture), *_ = PICTURES.items()
    facts = facts_of(picture, SPECS)
    changed = {**facts, "top-1": {"torchvision": "74.435"}}
    assert is_current(ROOT / path, facts)
    assert not is_current(ROOT / path, changed)
    assert not is_current(tmp_path / "none.png", facts)


def test_the_photographs_are_scikit_learns() -> None:
    assert Image.open(BytesIO(sample_photograph("china.jpg"))).size == (640, 427)
