"""What a card says of a DenseNet follows from its architecture."""

from __future__ import annotations

import dataclasses

import pytest

from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture, Stem
from densezoo.families.densenet.card import FIELDS, summary

SMALL = DenseNetArchitecture(12, (2, 3, 4), 24, reduction=0.5)


def test_a_summary_word_by_word() -> None:
    abstract, blank, *lines = summary(SMALL).splitlines()
    assert abstract.startswith("> Every layer of a block is connected to every later one")
    assert not blank
    assert lines == [
        "A DenseNet of growth rate 12: dense blocks of 2, 3 and 4 layers after a 7x7 convolution of stride 2.",
        "A layer reads the feature maps of every layer before it in its block and adds 12 channels of its own.",
        "It narrows its input to 48 channels before its 3x3 convolution.",
        "Between two blocks a 1x1 convolution leaves 50% of the channels, and pooling a quarter of the positions.",
    ]


@pytest.mark.parametrize("stem", STEMS)
def test_every_stem_has_its_words(stem: Stem) -> None:
    assert f" layers after {STEMS[stem].words}." in summary(dataclasses.replace(SMALL, stem=stem))
    assert len({layout.words for layout in STEMS.values()}) == len(STEMS)


def test_only_what_a_network_has_is_said() -> None:
    plain = summary(dataclasses.replace(SMALL, bn_size=None))
    assert "narrows" not in plain
    assert "a blur of stride 2 against aliasing" not in plain
    assert "a blur of stride 2 against aliasing" in summary(dataclasses.replace(SMALL, aa_layer="blurpool"))


def test_fields_of_a_listing() -> None:
    assert {name: of(SMALL) for name, (_, of) in FIELDS.items()} == {"growth_rate": 12, "layers": 9}
