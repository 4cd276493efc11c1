"""Bytes into RGB as Pillow, OpenCV, Torch7 and MindSpore decode them."""

from __future__ import annotations

import dataclasses
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from unusual_images import encoded, noise, photograph

from densezoo.data import decoding
from densezoo.data.decoding import MAX_PIXELS, decode
from densezoo.data.preprocess import normalise, to_pixels
from densezoo.errors import ImageError
from densezoo.protocols import PROTOCOLS, get_protocol


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


ONE_A_DECODER = ["torchvision", "mmpretrain", "torch7", "mindcv"]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ONE_A_DECODER)
@pytest.mark.parametrize("size", [(60_000, 60_000), (MAX_PIXELS + 1, 1), (20_000, 9_000)])
def test_a_decompression_bomb(name: str, size: tuple[int, int]) -> None:
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"^bomb\.png: can't be decoded \(.*; \d+ bytes\)"):
        decode(bomb(*size), get_protocol(name), "bomb.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


@pytest.mark.parametrize("name", ONE_A_DECODER)
def test_a_strip_that_only_the_resize_makes_huge(name: str) -> None:
    """Up to JPEG's longest it is read (test_strips.py)."""
    data = encoded(Image.new("RGB", (1, 65_536)), "PNG")
    with pytest.raises(ImageError, match=r"1 x 65536 becomes 4,294,967,296 pixels, more than 178,956,970"):
        decode(data, get_protocol(name), "strip.png")
    assert decode(data, get_protocol("cifar10"), "strip.png").size == (1, 65_536)


def test_a_strip_as_a_pillow_image() -> None:
    with pytest.raises(ImageError, match=r"4,294,967,296 pixels"):
        decode(Image.new("RGB", (1, 65_536)), get_protocol("timm"), "this Image")


@pytest.mark.parametrize("name", ONE_A_DECODER)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_half_a_file(name: str, kind: str) -> None:
    if (name, kind) == ("torch7", "JPEG"):
        pytest.skip("is read: test_truncated_images.py")
    data = encoded(photograph(200, 200), kind)
    with pytest.raises(ImageError, match=r"half: can't be decoded \(.*truncated"):
        decode(data[: len(data) // 2], get_protocol(name), "half")


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("data", [b"", b"<html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_no_image(name: str, data: bytes) -> None:
    with pytest.raises(ImageError, match=rf"x: can't be decoded \(.*; {len(data)} bytes\); replace the file"):
        decode(data, PROTOCOLS[name], "x")


DEEP = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)  # 0, 257, ...: 0 to 255 in 8 bits


def deep(kind: str) -> bytes:
    return encoded(Image.fromarray(DEEP), kind)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_where_the_protocol_says_so_and_otherwise_warned_of(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = dataclasses.replace(get_protocol("timm"), name="deep", decoder="pil16")
    assert np.asarray(decode(deep(kind), whole, "a"))[..., 1].ravel().tolist() == list(range(256))
    grey = dataclasses.replace(whole, channel_order="L", mean=(0.5,), std=(0.5,))
    assert np.asarray(decode(deep(kind), grey, "a")).shape == (16, 16)
    assert caplog.text == ""
    for name, words in [
        ("timm", "every value above 255 becomes white"),
        ("mmpretrain", "values below 256 become black"),
    ]:
        decoding._warn_of_depth.cache_clear()
        caplog.clear()
        decode(deep(kind), get_protocol(name), "a")
        decode(deep(kind), get_protocol(name), "b")
        (message,) = caplog.messages
        assert words in message
        assert "decoder: pil16" in message


def test_8_bits_are_as_with_pillow_and_32_have_no_range() -> None:
    whole = dataclasses.replace(get_protocol("timm"), name="deep", decoder="pil16")
    for image in (Image.fromarray(noise(9, 7)), Image.fromarray(noise(9, 7, 1))):
        data = encoded(image, "PNG")
        found, own = (np.asarray(decode(data, protocol, "a")) for protocol in (whole, get_protocol("timm")))
        assert np.array_equal(found, own)
    floats = encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF")
    with pytest.raises(ImageError, match="mode F: nothing tells the range of its values; save it with 8 or 16 bits"):
        decode(floats, whole, "a.tif")


def test_16_bits_of_a_pillow_image_are_as_those_of_its_file(caplog: pytest.LogCaptureFixture) -> None:
    whole = dataclasses.replace(get_protocol("timm"), name="deep", decoder="pil16")
    assert np.array_equal(np.asarray(decode(Image.fromarray(DEEP), whole, "a"))[..., 0].ravel(), np.arange(256))
    assert caplog.text == ""
    decoding._warn_of_depth.cache_clear()
    decode(Image.fromarray(DEEP), get_protocol("timm"), "a")
    assert "every value above 255 becomes white" in caplog.text


@pytest.mark.parametrize("name", ["mmpretrain", "torch7", "mindcv"])
def test_a_decoder_that_reads_no_dicom_says_which_do(name: str) -> None:
    with pytest.raises(
        ImageError, match=r"DICOM, which the decoder of protocol \w+, [\w.]+, doesn't read; take .* pil"
    ):
        decode(bytes(128) + b"DICM" + bytes(8), get_protocol(name), "a.dcm")
