"""The crop of a resized image with Pillow's arithmetic, by the engine's library (csrc/resample.cpp)."""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_int32, c_int64, c_void_p
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezoo.backends.native.library import load


class Crop(Structure):
    """An image's resize, of which only a crop is computed; as csrc/resample.cpp has it."""

    _fields_ = (
        *((name, c_int32) for name in ("height", "width")),
        ("stride", c_int64),
        *((name, c_int32) for name in ("new_height", "new_width", "top", "left", "rows", "columns")),
        *((name, c_int32) for name in ("cubic", "reversed")),
    )


def resized_crop(
    pixels: NDArray[np.uint8],
    size: tuple[int, int],
    corner: tuple[int, int],
    crop: tuple[int, int],
    *,
    cubic: bool,
    reverse: bool = False,
) -> Tensor | None:
    """A crop of the image that Pillow's ``resize`` would give; None where the processor lacks the instructions.

    Args:
        pixels: (H, W, 3).
        size: (width, height) after the resize, pixels.
        corner: (top, left) of the crop, pixels after the resize.
        crop: (height, width) of the crop, which lies within the resized image.
        cubic: bicubic, else bilinear.
        reverse: the last channel comes first.

    Returns:
        (3, *crop) uint8.

    Raises:
        BackendError: there is no library.
    """
    pixels = pixels if pixels.strides[1:] == (3, 1) and pixels.strides[0] > 0 else np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    asked = Crop(height, width, pixels.strides[0], *size[::-1], *corner, *crop, cubic, reverse)
    planes = torch.empty((3, *crop), dtype=torch.uint8)
    done = library().densezoo_resize(pixels.ctypes.data, ctypes.byref(asked), planes.data_ptr())
    return planes if done else None


@cache
def library() -> ctypes.CDLL:
    """The native engine's library, with the functions for crops.

    Raises:
        BackendError: there is none.
    """
    loaded = load()
    loaded.densezoo_resize.restype = c_int32
    loaded.densezoo_resize.argtypes = (c_void_p, ctypes.POINTER(Crop), c_void_p)
    return loaded
