"""What a `Protocol` does to one image: bytes -> RGB -> resize -> crop -> uint8 pixels, and pixels -> normalised floats.

The two halves are apart because images travel as uint8 and are normalised at the model's door (a quarter of the
memory traffic, and on a GPU the float work is there).
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from densezoo.errors import EvaluationError, ImageError
from densezoo.types import Protocol

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_ROUNDING: dict[str, Callable[[int], int]] = {
    "half_even": lambda margin: round(margin / 2),
    "floor": lambda margin: margin // 2,
    "ceil": lambda margin: (margin + 1) // 2,
}


def resized_size(width: int, height: int, short: int) -> tuple[int, int]:
    """(width, height) in pixels with the short side at ``short`` and the long side truncated, never rounded up."""
    if width <= height:
        return short, int(short * height / width)
    return int(short * width / height), short


def crop_offset(side: int, crop: int, rounding: str) -> int:
    """Pixels before the central crop of a side."""
    return _ROUNDING[rounding](side - crop)


def decode(data: bytes | NDArray[np.uint8], protocol: Protocol, where: str) -> Image.Image:
    """The image in the protocol's channels.

    Args:
        data: an encoded file, or decoded pixels (H, W, 3) or (H, W).
        where: the file, for messages.

    Raises:
        ImageError: Pillow can't decode it.
        EvaluationError: the protocol needs another decoder.
    """
    if protocol.decoder != "pil" or protocol.resize_backend != "pil":
        raise EvaluationError(f"protocol {protocol.name!r} is named but not implemented yet; choose another --protocol")
    if isinstance(data, np.ndarray):
        return Image.fromarray(data).convert(protocol.channel_order)
    try:
        with Image.open(io.BytesIO(data)) as file:
            image: Image.Image = file.convert(protocol.channel_order)
            return image
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        reason = "no image format that Pillow knows" if isinstance(error, UnidentifiedImageError) else error
        raise ImageError(
            f"{where}: can't be decoded ({reason}; {len(data):,} bytes); replace the file with an intact copy"
        ) from None


def to_pixels(image: Image.Image, protocol: Protocol) -> Tensor:
    """The uint8 pixels (C, H, W) that the protocol cuts out of a decoded image."""
    if protocol.resize is not None and protocol.interpolation is not None:
        size = resized_size(image.width, image.height, protocol.resize)
        if size != image.size:
            image = image.resize(size, _FILTERS[protocol.interpolation])
    if protocol.crop is not None:
        left = crop_offset(image.width, protocol.crop, protocol.crop_rounding)
        top = crop_offset(image.height, protocol.crop, protocol.crop_rounding)
        image = image.crop((left, top, left + protocol.crop, top + protocol.crop))
    pixels = torch.from_numpy(np.array(image))  # a copy: PIL's own buffer is read-only
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


def normalise(pixels: Tensor, protocol: Protocol) -> Tensor:
    """uint8 (..., C, H, W) -> float32 of the same shape on the same device: scaled, mean off, divided by std.

    The operations and their order are torchvision's (``convert_image_dtype``, ``normalize``), so the floats are too.
    """
    x = pixels.to(torch.float32)
    if protocol.value_range != 255.0:
        x = x.div_(255.0 / protocol.value_range)
    mean, std = (torch.tensor(v, device=x.device).view(-1, 1, 1) for v in (protocol.mean, protocol.std))
    return x.sub_(mean).div_(std)
