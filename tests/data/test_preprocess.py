"""Each protocol's pixels against the library that publishes it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm.data.transforms_factory import create_transform
from torchvision.transforms import functional

from densezoo.data.decoding import decode
from densezoo.data.preprocess import normalise, to_pixels
from densezoo.data.resampling import crop_offset, resized_size
from densezoo.errors import ImageError, UnknownNameError
from densezoo.protocols import PROTOCOLS, get_protocol

SIZES = [(500, 375), (375, 500), (333, 500), (256, 256), (57, 56), (1, 40), (1023, 301), (257, 259), (300, 303)]


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def theirs(name: str) -> Callable[[Image.Image], torch.Tensor]:
    """The publisher's own transform."""
    if name == "torchvision":
        preset: Callable[[Image.Image], torch.Tensor]
        preset = torchvision.models.DenseNet121_Weights.IMAGENET1K_V1.transforms()
        return preset
    size, crop_pct = (224, 0.875) if name == "timm" else (288, 0.95)
    transform: Callable[[Image.Image], torch.Tensor]
    transform = create_transform((3, size, size), interpolation="bicubic", crop_pct=crop_pct)
    return transform


@pytest.mark.parametrize("name", ["torchvision", "timm", "timm-288"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_same_floats_as_the_publisher(
    name: str, size: tuple[int, int], random_image: Callable[..., Image.Image]
) -> None:
    protocol, image = get_protocol(name), random_image(*size)
    ours = normalise(to_pixels(decode(encoded(image), protocol, "x.png"), protocol), protocol)
    assert torch.equal(ours, theirs(name)(image))


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
    assert torch.equal(ours, theirs("torchvision")(Image.open(io.BytesIO(data)).convert("RGB")))


def test_exif_is_not_applied(random_image: Callable[..., Image.Image]) -> None:
    image, exif, buffer = random_image(40, 30), Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    image.save(buffer, "PNG", exif=exif)
    assert decode(buffer.getvalue(), get_protocol("torchvision"), "x").size == (40, 30)


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


def test_cifar_protocols_by_hand() -> None:
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 1, 3).expand(3, 1, 3)
    lua = normalise(pixels, get_protocol("cifar10"))
    assert lua[0, 0].tolist() == pytest.approx([-125.3 / 63.0, (128 - 125.3) / 63.0, (255 - 125.3) / 63.0], abs=1e-6)
    assert lua[2, 0, 2].item() == pytest.approx((255 - 113.9) / 66.7, abs=1e-6)
    dice = normalise(pixels, get_protocol("cifar-dice"))
    assert dice[1, 0, 1].item() == pytest.approx((128 / 255 - 0.4822) / 0.1994, abs=1e-6)
    for name in ("svhn", "none"):
        assert normalise(pixels, get_protocol(name))[0, 0].tolist() == pytest.approx([0, 128 / 255, 1])


def test_a_batch_is_normalised_as_its_images_are() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 5), dtype=torch.uint8)
    protocol = get_protocol("torchvision")
    assert torch.equal(normalise(pixels, protocol), torch.stack([normalise(p, protocol) for p in pixels]))


def test_arrays_need_no_decoding() -> None:
    array = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    pixels = to_pixels(decode(array, get_protocol("digits"), "digit"), get_protocol("digits"))
    assert pixels.shape == (1, 8, 8)
    assert np.array_equal(pixels[0].numpy(), array)


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


def test_names() -> None:
    assert all(name == protocol.name and protocol.source for name, protocol in PROTOCOLS.items())
    with pytest.raises(UnknownNameError, match="there is no protocol 'tim'; did you mean 'timm'"):
        get_protocol("tim")
