"""Applies a `Protocol` to one image: bytes -> RGB -> resize -> crop -> pixels, and pixels -> normalised floats.

The two halves are separate because images are sent as uint8 and normalised just before the network (a quarter of the
memory traffic, and a GPU then does the float work). Torch7 resizes in floats, so its pixels are float32 in 0..1. It
normalises before it crops, which gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from densezoo.data.decoding import MAX_PIXELS, Decoded, decode
from densezoo.data.resampling import RESIZERS, Array, central_square, crop_offset, resized_size
from densezoo.data.strips import Strip
from densezoo.errors import ImageError
from densezoo.types import Protocol


class Prepared(NamedTuple):
    """One image as a protocol prepared it.

    Args:
        pixels: (C, H, W), or (V, C, H, W) with several views; uint8, or float32 in 0..1 (torch7).
        truncated: whether the file's end is missing, and the protocol's library filled it in.
    """

    pixels: Tensor
    truncated: bool = False


@dataclass(frozen=True)
class Preprocess:
    """A protocol as a function: image -> the network's input.

    Args:
        protocol: its fields.
    """

    protocol: Protocol

    def __repr__(self) -> str:
        return f"<Preprocess {self.protocol.name}>"

    def __call__(self, image: str | Path | bytes | Image.Image) -> Tensor:
        """The float32 tensor (C, H, W).

        Args:
            image: a path, an encoded file, or a Pillow image, which Pillow has decoded or will decode.

        Raises:
            ImageError: it can't be read or decoded; the protocol is for images of another size.
        """
        location = str(image) if isinstance(image, (str, Path)) else f"this {type(image).__name__}"
        source = _read(Path(image)) if isinstance(image, (str, Path)) else image
        decoded = decode(source, self.protocol, location)
        check_size(decoded, self.protocol, location)
        return normalise(to_pixels(decoded, self.protocol), self.protocol)


def check_size(image: Decoded, protocol: Protocol, location: str) -> None:
    """Refuse an image that a network of small images can't have been meant for: a photograph for one of CIFAR.

    Args:
        image: of `densezoo.data.decoding.decode`.
        protocol: that it is under.
        location: of the image, for messages.

    Raises:
        ImageError: the protocol takes images as they are, and this one has another size than those it is for.
    """
    width, height = image.size if isinstance(image, Image.Image) else image.shape[1::-1]
    side = protocol.image_size
    if side is not None and (width, height) != (side, side):
        raise ImageError(
            f"{location}: has {width} x {height} pixels; protocol {protocol.name} takes images of {side} x {side} as "
            "they are; give images of that size, or take a model for photographs"
        )


def _read(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: can't be read ({error.strerror})") from None


def to_pixels(image: Decoded, protocol: Protocol) -> Tensor:
    """The protocol's central crop of a decoded image: (C, H, W) uint8, or float32 in 0..1 (torch7).

    Args:
        image: of `densezoo.data.decoding.decode`.
        protocol: the one by which the image was decoded.
    """
    return crop_planes(resized(image, protocol), None, protocol)


def resized(image: Decoded, protocol: Protocol) -> Array | Strip:
    """The whole image (H, W, C) or (H, W) after the protocol's resize; as a `Strip` if that is too large.

    Args:
        image: of `densezoo.data.decoding.decode`.
        protocol: the one by which the image was decoded.
    """
    if protocol.resize is not None and protocol.interpolation is not None:
        image = central_square(image) if protocol.long_side == "cut" else image
        width, height = image.size if isinstance(image, Image.Image) else image.shape[1::-1]
        if protocol.keeps_crop_size and width == height == protocol.crop:
            return np.asarray(image)
        size = resized_size(width, height, protocol.resize, protocol.long_side)
        if size[0] * size[1] > MAX_PIXELS and protocol.crop is not None:
            return Strip(image, size, protocol.resize_backend, protocol.interpolation)
        image = RESIZERS[protocol.resize_backend](image, size, protocol.interpolation)
    return np.asarray(image)


def as_picture(pixels: Tensor, protocol: Protocol) -> NDArray[np.uint8]:
    """What a network gets, before it is normalised, as a picture: uint8 (H, W, 3) in RGB, or (H, W).

    Args:
        pixels: (C, H, W) of `to_pixels`.
        protocol: that they are under.
    """
    planes = pixels.numpy()
    if protocol.channel_order == "BGR":
        planes = planes[::-1]
    if planes.dtype != np.uint8:
        planes = (planes * (255 / protocol.value_range)).round().clip(0, 255)
    return np.ascontiguousarray(planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0), np.uint8)


def crop_planes(
    pixels: Array | Strip, corner: tuple[int, int] | None, protocol: Protocol, mirrored: bool = False
) -> Tensor:
    """The protocol's crop as planes (C, H, W) in its order of channels.

    Args:
        pixels: (H, W, C) or (H, W).
        corner: (top, left) of the crop, pixels; None: the central crop.
        protocol: its crop and its channels are used.
        mirrored: crop the mirror image.
    """
    if protocol.crop is not None:
        height, width = pixels.shape[:2]
        top, left = corner or tuple(crop_offset(n, protocol.crop, protocol.crop_rounding) for n in (height, width))
        left = width - protocol.crop - left if mirrored else left
        pixels = pixels[top : top + protocol.crop, left : left + protocol.crop]
    assert not isinstance(pixels, Strip), "a strip is made for a protocol that crops"
    pixels = np.flip(pixels, axis=1) if mirrored else pixels
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if protocol.channel_order == "BGR":
        planes = planes[::-1]
    return torch.from_numpy(planes.copy())  # a copy: contiguous, and PIL's own buffer is read-only


def normalise(pixels: Tensor, protocol: Protocol) -> Tensor:
    """Pixels (..., C, H, W) -> normalised float32 of the same shape on the same device.

    The operations and their order are torchvision's (``convert_image_dtype``, ``normalize``), so the floats are equal.

    Args:
        pixels: uint8 in 0..255, or float32 in the protocol's value range.
        protocol: its value range, mean and deviation are used.
    """
    x = pixels.to(torch.float32)
    if pixels.dtype == torch.uint8 and protocol.value_range != 255.0:
        x = x.div_(255.0 / protocol.value_range)
    mean, std = (torch.tensor(v, device=x.device).view(-1, 1, 1) for v in (protocol.mean, protocol.std))
    return x.sub(mean).div_(std)


def as_network_pixels(pixels: Tensor, protocol: Protocol) -> Tensor:
    """Pixels as a converted network takes them, contiguous: uint8, or float32 under a protocol that resizes in floats.

    Args:
        pixels: (N, C, H, W), uint8 or float32.
        protocol: of the network.
    """
    if protocol.float_pixels and pixels.dtype == torch.uint8:
        pixels = pixels.to(torch.float32).div_(255.0 / protocol.value_range)
    return pixels.contiguous()
