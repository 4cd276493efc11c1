"""The library's resize is Pillow's, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from unusual_images import noise

from densezoo.backends.native.resample import resized_crop
from densezoo.data.resampling import resized_size

SIDES = st.integers(10, 90) | st.integers(150, 300)


def of_pillow(pixels: np.ndarray, size: tuple[int, int], cubic: bool) -> np.ndarray:
    kind = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(pixels).resize(size, kind))


@given(SIDES, SIDES, SIDES, st.data(), st.booleans(), st.booleans(), st.integers(0, 5))
def test_any_crop_of_any_resize(
    width: int, height: int, short: int, data: st.DataObject, cubic: bool, extreme: bool, seed: int
) -> None:
    height = min(height, max(1, 2 * width - 1))  # of a higher one Pillow resizes the columns first
    new_width, new_height = resized_size(width, height, short)
    pixels = noise(width, height, seed=seed)
    pixels = (pixels > 127).astype(np.uint8) * 255 if extreme else pixels  # so that sums leave 0 to 255
    rows, columns = data.draw(st.integers(1, new_height)), data.draw(st.integers(1, new_width))
    top, left = data.draw(st.integers(0, new_height - rows)), data.draw(st.integers(0, new_width - columns))
    whole = of_pillow(pixels, (new_width, new_height), cubic)
    for reverse in (False, True):
        found = resized_crop(
            pixels, (new_width, new_height), (top, left), (rows, columns), cubic=cubic, reverse=reverse
        )
        assert found is not None
        expected = whole[top : top + rows, left : left + columns, :: -1 if reverse else 1].transpose(2, 0, 1)
        assert np.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("cubic", [False, True])
def test_a_part_of_a_larger_array(cubic: bool) -> None:
    whole = noise(300, 200)
    for part in (whole[20:150, 30:190], whole[:, ::-1], whole[::-1], whole.transpose(1, 0, 2), whole[:, ::2]):
        part = part[: 2 * part.shape[1] - 1]
        size = resized_size(part.shape[1], part.shape[0], 60)
        found = resized_crop(part, size, (3, 4), (50, 48), cubic=cubic)
        assert found is not None
        expected = of_pillow(np.ascontiguousarray(part), size, cubic)[3:53, 4:52].transpose(2, 0, 1)
        assert np.array_equal(found.numpy(), expected)
