"""Sizes of resizes and crops, and each library's resampling; only Pillow's is with antialias."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

#: (H, W, C) or (H, W): uint8 in 0..255 or float32 in 0..1.
Array: TypeAlias = "NDArray[np.uint8] | NDArray[np.float32]"
Resize: TypeAlias = "Callable[[Image.Image | Array, tuple[int, int], str], Array]"

_PILLOW_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_ROUNDING: dict[str, Callable[[int], int]] = {
    "half_even": lambda margin: round(margin / 2),
    "floor": lambda margin: margin // 2,
    "ceil": lambda margin: (margin + 1) // 2,
}


#: {`Protocol.long_side`: (side, short side, short side after the resize) -> side after the resize}, pixels.
_LONG_SIDES: dict[str, Callable[[int, int, int], int]] = {
    "floor": lambda long, short, target: int(target * long / short),
    "half_even": lambda long, short, target: round(long * (target / short)),
    "single": lambda long, short, target: int(np.float32(long) * (np.float32(target) / np.float32(short))),
    "same": lambda long, short, target: target,
    "cut": lambda long, short, target: target,
}


def resized_size(width: int, height: int, short: int, long_side: str = "floor") -> tuple[int, int]:
    """(width, height) in pixels after a resize of the short side.

    Torch7 divides before it multiplies, and MindSpore does so in single precision: at 256, a power of two, and for the
    sizes of photographs the result is the same.

    Args:
        width, height: of the image, pixels.
        short: the short side after the resize, pixels.
        long_side: what the long side becomes: "floor", "half_even", "single", "same" or "cut", which
            `densezoo.types.Protocol` explains.
    """
    rule, least = _LONG_SIDES[long_side], min(width, height)
    return rule(width, least, short), rule(height, least, short)


def crop_offset(side: int, crop: int, rounding: str) -> int:
    """Pixels before the central crop of a side.

    Args:
        side, crop: of the image and of the crop, pixels.
        rounding: how (side - crop) / 2 becomes a whole number: a ``crop_rounding`` of `densezoo.types.Protocol`.
    """
    return _ROUNDING[rounding](side - crop)


def central_square(image: Image.Image | Array) -> Array:
    """The largest central square of an image, its offset rounded down.

    Args:
        image: a Pillow image, or pixels (H, W, C) or (H, W).
    """
    pixels = np.asarray(image)
    side = min(pixels.shape[:2])
    top, left = (crop_offset(length, side, "floor") for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def as_image(image: Image.Image | Array) -> Image.Image:
    """The image as a Pillow image.

    Args:
        image: a Pillow image, or uint8 pixels.
    """
    return image if isinstance(image, Image.Image) else Image.fromarray(image)


def _pillow(image: Image.Image | Array, size: tuple[int, int], interpolation: str) -> Array:
    picture = as_image(image)
    return np.asarray(picture if picture.size == size else picture.resize(size, _PILLOW_FILTERS[interpolation]))


def _opencv(image: Image.Image | Array, size: tuple[int, int], interpolation: str) -> Array:
    import cv2

    flag = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[interpolation]
    return np.asarray(cv2.resize(np.asarray(image), size, interpolation=flag), dtype=np.uint8)


def _torch7(image: Image.Image | Array, size: tuple[int, int], interpolation: str) -> Array:
    """``image.scale(src, width, height, 'bicubic')``: float32, not clamped to 0..1."""
    width, height = size
    resized = cubic(cubic(torch7_planes(np.asarray(image)), width).swapaxes(1, 2), height)
    turned: NDArray[np.float32] = resized.transpose(2, 1, 0)
    return turned


def torch7_planes(pixels: Array) -> NDArray[np.float32]:
    """(H, W, C) -> (C, H, W), float32 in 0..1.

    Args:
        pixels: uint8 in 0..255, or float32 in 0..1.
    """
    x = pixels if pixels.dtype == np.float32 else pixels.astype(np.float32) / np.float32(255)
    planes: NDArray[np.float32] = x.transpose(2, 0, 1)
    return planes


def cubic_positions(length: int, size: int, samples: slice = slice(None)) -> NDArray[np.float32]:
    """The positions of an axis's samples after a resize, in samples before it.

    Args:
        length, size: samples of the axis before and after.
        samples: the samples after the resize whose positions are returned.
    """
    step = np.float32(length - 1) / np.float32(size - 1)
    positions: NDArray[np.float32] = np.arange(*samples.indices(size)).astype(np.float32) * step
    return positions


def cubic(
    x: NDArray[np.float32], size: int, samples: slice = slice(None), first: int = 0, length: int | None = None
) -> NDArray[np.float32]:
    """Resize the last axis; its first and last sample keep their values (``Main_scaleCubic_rowcol`` of torch/image).

    Catmull-Rom through four samples, in single precision as the original; a sample beyond the border continues the
    line of the last two.

    Args:
        x: (..., length), or the part of that axis which the samples need.
        size: samples of the axis after the resize.
        samples: the samples after the resize that are returned.
        first: index of x's first sample on the axis.
        length: samples of the axis before the resize; None: x has all of it.
    """
    length = length or x.shape[-1]
    if size == length:
        return x[..., slice(*(index - first for index in samples.indices(size)[:2]))]
    position = cubic_positions(length, size, samples)
    index = position.astype(np.intp)
    t = position - index.astype(np.float32)
    before, left, right, after = (x[..., np.clip(index + step, 0, length - 1) - first] for step in (-1, 0, 1, 2))
    before = np.where(index > 0, before, 2 * left - right)
    after = np.where(index + 2 < length, after, 2 * right - left)
    half, one_and_half, two_and_half = np.float32(0.5), np.float32(1.5), np.float32(2.5)
    linear = half * (right - before)
    square = before - two_and_half * left + 2 * right - half * after
    cube = half * (after - before) + one_and_half * (left - right)
    out: NDArray[np.float32] = left + t * (linear + t * (square + cube * t))
    return out


def bilinear(
    pixels: Array, size: tuple[int, int], centre: float, rows: slice = slice(None), columns: slice = slice(None)
) -> NDArray[np.float32]:
    """A part of TensorFlow's bilinear resize (``ResizeBilinear`` of core/kernels/image), float32 in 0..255.

    Args:
        pixels: uint8 (H, W, C).
        size: (width, height) after the resize, pixels.
        centre: where a pixel's value lies in it: 0.5, or 0.0 at its corner as in TensorFlow 1.
        rows, columns: of the resize that are returned.
    """
    (top, bottom, down), (left, right, across) = (
        _neighbours(before, after, centre, part)
        for before, after, part in zip(pixels.shape[:2], size[::-1], (rows, columns))
    )
    lines = []
    for y in (top, bottom):
        first, second = (pixels[y][:, x].astype(np.float32) for x in (left, right))
        lines.append(first + (second - first) * across[:, None])
    resized: NDArray[np.float32] = lines[0] + (lines[1] - lines[0]) * down[:, None, None]
    return resized


def _neighbours(
    before: int, after: int, centre: float, part: slice
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The samples before and behind each position of an axis, and how far the position is from the first."""
    half, scale = np.float32(centre), np.float32(before) / np.float32(after)
    positions = (np.arange(*part.indices(after)).astype(np.float32) + half) * scale - half
    floor = np.floor(positions)
    first = np.maximum(floor.astype(np.intp), 0)
    second = np.minimum(np.ceil(positions).astype(np.intp), before - 1)
    return first, second, positions - floor


def _tensorflow(image: Image.Image | Array, size: tuple[int, int], interpolation: str) -> Array:
    return bilinear(np.asarray(image), size, 0.5)


def _tensorflow1(image: Image.Image | Array, size: tuple[int, int], interpolation: str) -> Array:
    return bilinear(np.asarray(image), size, 0.0)


def resize_planes(planes: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    """Planes (C, H, W) uint8, resized by PyTorch on the device that they are on.

    In float32 and rounded to the nearest, where Pillow rounds its weights to 22 bits and its rows to whole numbers.

    Args:
        planes: (C, H, W) uint8.
        size: (width, height) in pixels.
        interpolation: ``bilinear`` or ``bicubic``, with antialias.
    """
    from torch.nn.functional import interpolate

    width, height = size
    if planes.shape[1:] == (height, width):
        return planes
    x = interpolate(planes[None].float(), (height, width), mode=interpolation, align_corners=False, antialias=True)
    return x[0].round().clamp(0, 255).byte()


def _torch(image: Image.Image | Array, size: tuple[int, int], interpolation: str) -> Array:
    import torch

    planes = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    resized: NDArray[np.uint8] = resize_planes(planes, size, interpolation).permute(1, 2, 0).numpy()
    return resized


RESIZERS: dict[str, Resize] = {
    "pil": _pillow,
    "cv2": _opencv,
    "torch7": _torch7,
    "tensorflow": _tensorflow,
    "tensorflow1": _tensorflow1,
    "torch": _torch,
}
