"""Sizes, offsets and resampling by each library's rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import functional

from densezoo.data.resampling import RESIZERS, crop_offset, cubic, resized_size


@pytest.mark.parametrize(
    ("size", "short", "expected"),
    [
        ((500, 375), 256, (341, 256)),
        ((375, 500), 256, (256, 341)),
        ((500, 334), 256, (383, 256)),  # 383.23: truncated
        ((333, 500), 256, (256, 384)),  # 384.38
        ((334, 335), 333, (333, 333)),  # 333.997 would round up
        ((256, 256), 256, (256, 256)),
        ((1, 40), 256, (256, 10240)),
    ],
)
def test_the_long_side_is_truncated(size: tuple[int, int], short: int, expected: tuple[int, int]) -> None:
    assert resized_size(*size, short) == expected


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((500, 333), "single", (384, 256)),
        ((41, 82), "single", (255, 511)),  # 41 x (256 / 41) is 255.99998 in single precision
        ((500, 333), "half_even", (384, 256)),  # 384.38
        ((333, 501), "half_even", (256, 385)),  # 385.15
        ((500, 334), "half_even", (383, 256)),  # 383.23
        ((512, 257), "half_even", (510, 256)),  # 510.007
        ((500, 375), "half_even", (341, 256)),  # 341.33
        ((400, 301), "half_even", (340, 256)),  # 340.199
        ((301, 405), "half_even", (256, 344)),  # 344.45
        ((300, 401), "half_even", (256, 342)),  # 342.19
        ((300, 400), "half_even", (256, 341)),  # 341.33
        ((300, 473), "half_even", (256, 404)),  # 403.63: rounded up
        ((512, 513), "half_even", (256, 256)),  # 256.5: to the even one
        ((500, 333), "same", (256, 256)),
        ((1, 4000), "same", (256, 256)),
        ((500, 333), "cut", (256, 256)),
    ],
)
def test_other_rules_of_the_long_side(size: tuple[int, int], long_side: str, expected: tuple[int, int]) -> None:
    assert resized_size(*size, 256, long_side) == expected


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 400))
def test_sizes_are_torchvision_s(width: int, height: int, short: int) -> None:
    ours = resized_size(width, height, short)
    new_height, new_width = functional._compute_resized_output_size((height, width), [short])
    assert ours == (new_width, new_height)


@pytest.mark.parametrize(
    ("rounding", "offsets"),
    [("half_even", [0, 0, 1, 2, 2]), ("floor", [0, 0, 1, 1, 2]), ("ceil", [0, 1, 1, 2, 2])],
)
def test_crop_offsets_by_hand(rounding: str, offsets: list[int]) -> None:
    assert [crop_offset(224 + margin, 224, rounding) for margin in range(5)] == offsets


@given(st.integers(2, 30), st.integers(2, 60))
def test_torch7_s_cubic_keeps_the_ends_and_straight_lines(length: int, size: int) -> None:
    line = np.arange(length, dtype=np.float32) * np.float32(3) - np.float32(7)
    expected = np.linspace(-7, 3 * (length - 1) - 7, size)
    assert cubic(line, size) == pytest.approx(expected, abs=1e-4)


def test_torch7_s_cubic_by_hand() -> None:
    """Half way between the middle two of 0, 0, 1, 1 Catmull-Rom is (-0 + 9 x 0 + 9 x 1 - 1) / 16."""
    step = np.array([0, 0, 1, 1], np.float32)
    assert cubic(step, 7)[3] == pytest.approx(0.5)
    peak = np.array([0, 0, 1, 0], np.float32)
    assert cubic(peak, 7)[3] == pytest.approx(9 / 16)
    assert cubic(peak, 7)[1] == pytest.approx(-1 / 16)  # not clamped


@pytest.mark.parametrize("backend", sorted(RESIZERS))
def test_a_resizer_gives_the_size_that_is_asked_for(backend: str) -> None:
    """(width, height), not (height, width); a picture of one colour stays so."""
    image = np.full((9, 14, 3), 51, np.uint8)
    resized = RESIZERS[backend](image, (7, 4), "bicubic")
    assert resized.shape == (4, 7, 3)
    assert resized == pytest.approx(0.2 if backend == "torch7" else 51)
    assert RESIZERS[backend](image, (9, 14), "bilinear").shape == (14, 9, 3)


@pytest.mark.parametrize(
    ("backend", "expected"), [("tensorflow", [0, 25, 75, 100]), ("tensorflow1", [0, 50, 100, 100])]
)
def test_where_tensorflow_s_pixels_lie(backend: str, expected: list[float]) -> None:
    pixels = np.array([[[0], [100]]], np.uint8)
    resized = RESIZERS[backend](pixels, (4, 1), "bilinear")
    assert resized.dtype == np.float32
    assert resized[0, :, 0].tolist() == expected
