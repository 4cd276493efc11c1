"""Images that a program has in memory: NumPy arrays, torch tensors, Pillow images; alone, as a list or as a batch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from densezoo.data.decoding import decode
from densezoo.data.layouts.given import Source, named_images
from densezoo.data.orientation import stored_orientation, warn_of_orientation
from densezoo.errors import ImageError
from densezoo.types import Protocol

#: One image: a path, URL or encoded file, a Pillow image, an array (H, W, 3) or (H, W), a tensor (C, H, W).
Given: TypeAlias = "str | Path | bytes | Image.Image | NDArray[np.uint8] | Tensor"

_EXPECTED = "expected uint8 pixels: an array (H, W, 3), (H, W) or (N, H, W, 3), or a tensor (C, H, W) or (N, C, H, W)"


def is_one(images: object) -> bool:
    """Whether what a program gives is one image and no list or batch of them.

    Args:
        images: one image, or several in any way that `sources_of` takes.
    """
    if isinstance(images, Tensor):
        return images.ndim < 4
    if isinstance(images, np.ndarray):
        return images.ndim < 4
    return isinstance(images, (str, Path, bytes, Image.Image))


def sources_of(images: Given | Iterable[Given], protocol: Protocol) -> list[tuple[str, Source]]:
    """(what an image is called, where it comes from) of each.

    Args:
        images: one image or several; a path may be of a folder, tar or pattern (`named_images`).
        protocol: Pillow's images are turned by EXIF and converted as it says.

    Raises:
        ImageError: an array or a tensor of another shape or type; an image that Pillow can't decode.
        DatasetError: there is no such file; a folder, tar or pattern has no image.
    """
    if not (is_one(images) or isinstance(images, (Tensor, np.ndarray, Iterable))):
        raise ImageError(f"expected one image or several, found {type(images).__name__}; {_EXPECTED}")
    sources: list[tuple[str, Source]] = []
    for image in [images] if is_one(images) else images:  # type: ignore[union-attr]
        if isinstance(image, (str, Path)):
            named = named_images([image])
            sources += zip(named.ids, named.sources)
        else:
            sources += [(str(len(sources)), _source(image, len(sources), protocol))]
    return sources


def _source(image: object, number: int, protocol: Protocol) -> Source:
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        if not protocol.exif and (orientation := stored_orientation(image)) > 1:
            warn_of_orientation(f"image {number}", orientation, protocol.name)
        return np.asarray(decode(image, protocol, f"image {number}"))
    if isinstance(image, Tensor):
        planes = image.detach().cpu().numpy()
        return _checked(np.moveaxis(planes, 0, -1) if planes.ndim == 3 else planes, image, number)
    if isinstance(image, np.ndarray):
        return _checked(image, image, number)
    raise ImageError(f"image {number}: is {type(image).__name__}; expected a path, bytes, a Pillow image or pixels")


def _checked(pixels: NDArray[np.uint8], given: Tensor | NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) or (H, W).

    Raises:
        ImageError: floats, whose range nothing tells, or another shape.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if (
        0 in pixels.shape
        or pixels.dtype != np.uint8
        or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3))
    ):
        advice = "Normalised floats go to the network itself: classifier.network(tensor)"
        if pixels.dtype == np.uint16:
            advice = "16 bits are taken as a file or a Pillow image, under a protocol whose decoder is pil16"
        raise ImageError(f"image {number}: {_EXPECTED}; found {given.dtype}, {tuple(given.shape)}. {advice}")
    return np.ascontiguousarray(pixels)
