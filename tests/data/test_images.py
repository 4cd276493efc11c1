"""Sets of images: what identifies one, and choosing some of another's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from densezoo.data.images import ArrayImages, ChosenImages, digest_of, stat_signature

PIXELS = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2)
IMAGES = ArrayImages("three", ["a", "b", "c"], [0, 1, 0], PIXELS)


def test_the_digest_of_pixels_has_their_shape() -> None:
    assert digest_of(b"x") == hashlib.sha256(b"x").digest()
    assert digest_of(PIXELS[0]) != digest_of(PIXELS[0].reshape(1, 4))
    assert IMAGES.digest(1) == digest_of(PIXELS[1])


def test_a_file_that_changes_has_another_signature(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    before = stat_signature(tmp_path / "f")
    assert stat_signature(tmp_path / "f") == before
    os.utime(tmp_path / "f", ns=(1, 1))
    assert stat_signature(tmp_path / "f") != before
    with pytest.raises(FileNotFoundError):
        stat_signature(tmp_path / "g")


def test_chosen_images_are_the_same_set_as_their_own() -> None:
    chosen = ChosenImages("two", ["c", "a"], [0, 0], IMAGES, [2, 0])
    alone = ArrayImages("alone", ["c", "a"], [0, 0], PIXELS[[2, 0]])
    assert len(chosen) == 2
    assert np.array_equal(chosen.read(0), PIXELS[2])
    assert chosen.location_of(1) == "three: a"
    assert chosen.fingerprint() == alone.fingerprint() != IMAGES.fingerprint()


def test_several_right_answers_are_a_part_of_the_listing() -> None:
    several = ArrayImages("three", ["a", "b", "c"], [0, 1, 0], PIXELS, label_sets=[(0,), (1, 2), (0,)])
    assert several.listing() != IMAGES.listing()
