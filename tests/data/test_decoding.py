"""Bytes into RGB as Pillow, OpenCV, Torch7 and MindSpore decode them."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from unusual_images import encoded

from densezoo.data.decoding import decode
from densezoo.data.preprocess import normalise, to_pixels
from densezoo.errors import ImageError
from densezoo.protocols import get_protocol


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "LA", "1", "I;16"])
def test_other_modes_become_rgb_as_pillow_does_it(mode: str, random_image: Callable[..., Image.Image]) -> None:
    rgb = random_image(300, 280)
    image = (
        Image.fromarray(np.arange(300 * 280, dtype=np.uint16).reshape(280, 300))
        if mode == "I;16"
        else rgb.convert(mode)
    )
    data = encoded(image, "TIFF" if mode == "CMYK" else "PNG")
    protocol = get_protocol("torchvision")
    ours = normalise(to_pixels(decode(data, protocol, "x"), protocol), protocol)
    theirs = torchvision.models.DenseNet121_Weights.IMAGENET1K_V1.transforms()
    assert torch.equal(ours, theirs(Image.open(io.BytesIO(data)).convert("RGB")))


def test_exif_is_not_applied(random_image: Callable[..., Image.Image]) -> None:
    image, exif, buffer = random_image(40, 30), Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    image.save(buffer, "PNG", exif=exif)
    assert decode(buffer.getvalue(), get_protocol("torchvision"), "x").size == (40, 30)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "no image format that Pillow knows"), (b"<html>", "no image format"), (b"\x89PNG\r\n\x1a\n", "; 8 bytes")],
)
def test_what_is_no_image_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data, get_protocol("torchvision"), "val/n01440764/broken.JPEG")
    assert str(caught.value).startswith("val/n01440764/broken.JPEG: can't be decoded (")
    assert reason in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_image_is_refused(kind: str, random_image: Callable[..., Image.Image]) -> None:
    data = encoded(random_image(64, 64), kind)
    with pytest.raises(ImageError, match="truncated"):
        decode(data[: len(data) // 2], get_protocol("torchvision"), "half.jpg")
