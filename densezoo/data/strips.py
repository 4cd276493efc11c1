"""Strips: images whose resize is too large to compute whole. Only the part that a crop needs is computed, bit for bit.

1 x 5,000 pixels with the short side at 256 are 328 million pixels, of which a crop takes 50,000. A sample depends on
few pixels of the image, so a part can be computed by itself, with the library's own arithmetic: its coefficients, their
rounding and the order of its sums. Builds of a library differ, so the arithmetic is first compared with the library's
on a strip that can be resized whole (`_is_library_s`). For example, OpenCV with Intel's IPP uses another arithmetic for
bicubic from 4 pixels on; such strips are resized whole, up to MAX_WHOLE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezoo.data.resampling import RESIZERS, Array, bilinear, cubic, cubic_positions, resized_size, torch7_planes

MAX_RATIO = 65_535  # of the sides: no JPEG has more
MAX_WHOLE = 400_000_000  # pixels of a resize that must be computed whole: 1.2 GB as RGB
_TRIAL = 40  # ratio of the strip on which a library's arithmetic is tried

#: (size of an axis before, after, samples after) -> (indices before, whole-number coefficients), each (taps, samples).
Taps: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64]]"
Part: TypeAlias = "Callable[[Array, tuple[int, int], str, slice, slice], Array]"


@dataclass(frozen=True)
class Strip:
    """A resized image of which only parts are computed: ``strip[top:bottom, left:right]``.

    Args:
        image: the image before the resize, of which no side shrinks.
        size: (width, height) of the whole after the resize, pixels.
        backend, interpolation: ``resize_backend`` and ``interpolation`` of a protocol.
    """

    image: Image.Image | Array
    size: tuple[int, int]
    backend: str
    interpolation: str

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the whole, pixels."""
        return self.size[1], self.size[0]

    def __getitem__(self, part: tuple[slice, slice]) -> Array:
        pixels = np.asarray(self.image)
        height, width = pixels.shape[:2]
        if _is_library_s(self.backend, self.interpolation, width < height, min(width, height), min(self.size)):
            return _PARTS[self.backend](pixels, self.size, self.interpolation, *part)
        return RESIZERS[self.backend](self.image, self.size, self.interpolation)[part]


def fits(size: tuple[int, int], after: tuple[int, int], backend: str, interpolation: str) -> bool:
    """Whether the crops of an image can be made in bounded memory.

    They can if its sides have a ratio of at most MAX_RATIO, and its resize has at most MAX_WHOLE pixels or can be
    computed in parts.

    Args:
        size: (width, height) of the image, pixels.
        after: (width, height) after the resize, pixels.
        backend, interpolation: ``resize_backend`` and ``interpolation`` of a protocol.
    """
    if max(size) > MAX_RATIO * min(size):
        return False
    whole = after[0] * after[1] <= MAX_WHOLE
    return whole or _is_library_s(backend, interpolation, size[0] < size[1], min(size), min(after))


@cache
def _is_library_s(backend: str, interpolation: str, upright: bool, short: int, resized: int) -> bool:
    """Whether a strip of noise, resized in parts, equals the library's; short, resized: short side before, after."""
    if backend in ("torch7", "tensorflow", "tensorflow1"):
        return True  # parts and whole are computed by the same code, our own
    height, width = (_TRIAL * short, short) if upright else (short, _TRIAL * short)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    size = resized_size(width, height, resized)
    whole = RESIZERS[backend](noise, size, interpolation)
    for start in range(0, max(size), 1024):
        part = slice(start, start + 1024), slice(None)
        rows, columns = part if upright else part[::-1]
        if not np.array_equal(_PARTS[backend](noise, size, interpolation, rows, columns), whole[rows, columns]):
            return False
    return True


def _torch7(pixels: Array, size: tuple[int, int], interpolation: str, rows: slice, columns: slice) -> Array:
    height, width = pixels.shape[:2]
    (top, bottom), (left, right) = _torch7_needs(height, size[1], rows), _torch7_needs(width, size[0], columns)
    across = cubic(torch7_planes(pixels[top:bottom, left:right]), size[0], columns, left, width).swapaxes(1, 2)
    part: NDArray[np.float32] = cubic(across, size[1], rows, top, height).transpose(2, 1, 0)
    return part


def _torch7_needs(before: int, after: int, samples: slice) -> tuple[int, int]:
    """(first, last + 1) of the samples before the resize that these samples after it need."""
    index = cubic_positions(before, after, samples).astype(np.intp)
    return max(int(np.min(index)) - 1, 0), min(int(np.max(index)) + 3, before)


def _pillow(pixels: Array, size: tuple[int, int], interpolation: str, rows: slice, columns: slice) -> Array:
    """Pillow's src/libImaging/Resample.c if no side shrinks: across, then down, each rounded to bytes."""
    (y, down), (x, across) = (
        _pillow_taps(before, after, samples, interpolation)
        for before, after, samples in zip(pixels.shape, reversed(size), (rows, columns))
    )
    used, y = np.unique(y, return_inverse=True)
    narrow: NDArray[np.uint8] = _weighted(pixels[used].swapaxes(0, 1), x, across).swapaxes(0, 1)
    return _weighted(narrow, y.reshape(down.shape), down)


def _pillow_taps(before: int, after: int, samples: slice, interpolation: str) -> Taps:
    reach = {"bilinear": 1, "bicubic": 2}[interpolation]
    centre = (np.arange(*samples.indices(after)) + 0.5) * (before / after)
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.int64), before)
    index = first + np.arange(2 * reach + 1)[:, None]
    weights = np.where(index < last, _pillow_filter(np.abs(index - centre + 0.5), reach), 0.0)
    total = np.zeros_like(centre)
    for weight in weights:
        total += weight
    scaled = weights / total * (1 << 22)
    return np.minimum(index, before - 1), np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)


def _pillow_filter(x: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The triangle, or the cubic with a = -0.5, at these distances."""
    a = -0.5
    if reach == 1:
        return np.where(x < 1, 1 - x, 0)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _weighted(pixels: NDArray[Any], index: NDArray[np.int64], coefficients: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Samples of the first axis, as bytes, from coefficients in units of 2^-22."""
    shape = (-1, *[1] * (pixels.ndim - 1))
    total = sum(pixels[i].astype(np.int64) * c.reshape(shape) for i, c in zip(index, coefficients))
    rounded: NDArray[np.uint8] = np.clip((total + (1 << 21)) >> 22, 0, 255).astype(np.uint8)
    return rounded


def _opencv(pixels: Array, size: tuple[int, int], interpolation: str, rows: slice, columns: slice) -> Array:
    """OpenCV's modules/imgproc/src/resize.cpp for bytes: across to whole numbers in units of 2^-11, then down."""
    height, width = pixels.shape[:2]
    (y, down), (x, across) = (
        _opencv_taps(before, after, samples, interpolation)
        for before, after, samples in ((height, size[1], rows), (width, size[0], columns))
    )
    used, y = np.unique(y, return_inverse=True)
    source = pixels[used].astype(np.int64)
    narrow = sum(source[:, i] * c[:, None] for i, c in zip(x, across))
    lines = [narrow[i] for i in y.reshape(down.shape)]
    if interpolation == "bilinear":
        sums = [(c[:, None, None] * (line >> 4)) >> 16 for line, c in zip(lines, down)]
        total: NDArray[Any] = (sums[0] + sums[1] + 2) >> 2
    else:
        parts = [line.astype(np.float32) * _unit(c)[:, None, None] for line, c in zip(lines, down)]
        total = np.rint(parts[0] + (parts[1] + (parts[2] + parts[3])))
    rounded: NDArray[np.uint8] = np.clip(total, 0, 255).astype(np.uint8)
    return rounded


def _unit(coefficients: NDArray[np.int64]) -> NDArray[np.float32]:
    """Coefficients of the second pass in units of 1; its sums are in units of 2^-22."""
    scaled: NDArray[np.float32] = coefficients.astype(np.float32) * np.float32(2**-22)
    return scaled


def _opencv_taps(before: int, after: int, samples: slice, interpolation: str) -> Taps:
    position = ((np.arange(*samples.indices(after)) + 0.5) * (1 / (after / before)) - 0.5).astype(np.float32)
    left = np.floor(position)
    t = position - left
    if interpolation == "bilinear":
        weights, first = [1 - t, t], 0
    else:
        a = np.float32(-0.75)
        outer = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
        near = ((a + 2) * t - (a + 3)) * t * t + 1
        other = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1
        weights, first = [outer, near, other, np.float32(1) - outer - near - other], -1
    index = left.astype(np.int64) + first + np.arange(len(weights))[:, None]
    return np.clip(index, 0, before - 1), np.rint(np.stack(weights) * np.float32(2048)).astype(np.int64)


_PARTS: dict[str, Part] = {
    "pil": _pillow,
    "cv2": _opencv,
    "torch7": _torch7,
    "tensorflow": lambda pixels, size, _, rows, columns: bilinear(pixels, size, 0.5, rows, columns),
    "tensorflow1": lambda pixels, size, _, rows, columns: bilinear(pixels, size, 0.0, rows, columns),
}
