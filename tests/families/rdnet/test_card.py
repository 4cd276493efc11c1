"""What a card says of an RDNet follows from its architecture."""

from __future__ import annotations

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.card import FIELDS, summary

SMALL = RDNetArchitecture((64, 32, 96), (1, 2, 3), 16, patch_size=2, downsample=(2,), attention=(), reduction=0.25)


def test_a_summary_word_by_word() -> None:
    abstract, blank, *lines = summary(SMALL).splitlines()
    assert abstract.startswith("> Wider dense layers of modern parts")
    assert not blank
    assert lines == [
        "An RDNet of 3 stages of dense layers, 6 in all, after a 2x2 convolution of stride 2.",
        "A layer reads the feature maps of every layer before it in its stage: a depthwise 7x7 convolution, a layer "
        "norm, and two 1x1 convolutions that add 32 to 96 channels.",
        "Before each stage but the first a convolution leaves 25% of the channels; 1 of them halve the map.",
    ]
    assert {name: of(SMALL) for name, (_, of) in FIELDS.items()} == {"layers": 6}
