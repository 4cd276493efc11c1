"""The crop of a resized image by a faster way, used only where it gave the pixels of the protocol's own library.

Pillow resizes a photograph to 256 pixels in 1.8 ms bilinear and 2.5 bicubic, of which the central crop takes half; the
native engine's library computes that half alone, with Pillow's arithmetic, in 0.5 (Zen 4, one thread). Which pass comes
first decides the rounding: Pillow 13 begins with the columns of some images, of those that keep their proportions only
if they are twice as high as wide or more (6,900 tried). These, and resizes to another shape, are left to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from densezoo.data.decoding import MAX_PIXELS, Decoded
from densezoo.data.equality import VARIED, Comparisons
from densezoo.data.resampling import central_square, crop_offset, resized_size
from densezoo.types import Protocol

#: pixels (H, W, 3), (width, height) after the resize, (top, left) and (height, width) of the crop, whether bicubic,
#: whether the last channel comes first -> planes (3, height, width); None: it can't.
ResizedCrop: TypeAlias = "Callable[..., Tensor | None]"

Kind: TypeAlias = "tuple[Protocol, bool, bool]"  # (protocol, whether the image is higher than wide, whether it grows)

TALLEST = 2  # height by width, from which on Pillow resizes the columns first


@dataclass(frozen=True)
class EqualCropper:
    """A faster resize and crop for the protocols for which it is equal to Pillow's.

    Args:
        resized_crop: the faster way.
        seen: what it was compared on.
    """

    resized_crop: ResizedCrop
    seen: Comparisons[Kind] = field(default_factory=lambda: Comparisons("the native library's resize"))

    def crop(self, image: Decoded, protocol: Protocol, location: str, own: Callable[[], Tensor]) -> Tensor:
        """The protocol's central crop of a decoded image, as its own library gives it.

        Args:
            image: of `densezoo.data.decoding.decode`.
            protocol: the one by which the image was decoded.
            location: of the image, for messages.
            own: resizes and crops it by the protocol's library.

        Returns:
            (C, H, W) uint8, or what ``own`` gives.

        Raises:
            DatasetError: the faster way isn't equal after all.
        """
        width, height = image.size if isinstance(image, Image.Image) else image.shape[1::-1]
        kind = (protocol, height > width, min(width, height) < (protocol.resize or 0))
        planes = None if kind in self.seen.different else self._planes(image, protocol)
        if planes is None or self.seen.trusts(kind):
            return own() if planes is None else planes
        expected = own()
        telling = int(expected.max()) - int(expected.min()) >= VARIED
        self.seen.compared(kind, torch.equal(expected, planes), telling, location)
        return expected

    def _planes(self, image: Decoded, protocol: Protocol) -> Tensor | None:
        """The crop by the faster way; None: that can't make it."""
        if protocol.resize_backend != "pil" or protocol.resize is None or protocol.crop is None:
            return None
        if protocol.long_side == "same":
            return None
        if isinstance(image, Image.Image) and image.mode != "RGB":
            return None
        pixels = central_square(image) if protocol.long_side == "cut" else np.asarray(image)
        height, width = pixels.shape[:2]
        size = resized_size(width, height, protocol.resize, protocol.long_side)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or height >= TALLEST * width or size[0] * size[1] > MAX_PIXELS:
            return None
        top, left = (crop_offset(side, protocol.crop, protocol.crop_rounding) for side in size[::-1])
        return self.resized_crop(
            pixels,
            size,
            (top, left),
            (protocol.crop, protocol.crop),
            cubic=protocol.interpolation == "bicubic",
            reverse=protocol.channel_order == "BGR",
        )
