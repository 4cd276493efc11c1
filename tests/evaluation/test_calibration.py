from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from densezoo.data.images import ImageSet
from densezoo.evaluation.calibration import NUM_IMAGES, calibration_pixels, chosen_positions, identify
from densezoo.protocols import get_protocol


class Numbered(ImageSet):
    """8 x 8 images, each of its own grey."""

    def read(self, index: int) -> NDArray[np.uint8]:
        return np.full((8, 8), index % 256, np.uint8)


def numbered(number: int) -> Numbered:
    return Numbered("", [f"image {i}" for i in range(number)], [0] * number)


@pytest.mark.parametrize(("number", "expected"), [(1, [0]), (299, list(range(299))), (900, list(range(0, 900, 3)))])
def test_images_are_evenly_spaced(number: int, expected: list[int]) -> None:
    assert chosen_positions(numbered(number)) == expected
    assert len(chosen_positions(numbered(50_000))) == NUM_IMAGES


def test_their_pixels_are_the_protocol_s() -> None:
    pixels = calibration_pixels(numbered(600), get_protocol("digits"))
    assert pixels.shape == (NUM_IMAGES, 1, 8, 8)
    assert pixels[:, 0, 0, 0].tolist() == [i % 256 for i in range(0, 600, 2)]


def test_the_result_names_them_by_what_they_are() -> None:
    known = identify(numbered(600), "digits")
    assert (known.dataset, known.num_images, len(known.sha256)) == ("digits", 300, 64)
    assert known == identify(numbered(600), "digits")
    renamed = dataclasses.replace(numbered(600), ids=[f"other {i}" for i in range(600)])
    others = [identify(images, "digits").sha256 for images in (numbered(700), renamed)]
    assert len({known.sha256, *others}) == 3
