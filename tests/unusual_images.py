"""Encoded images of every unusual kind, made from noise."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image


def noise(width: int, height: int, channels: int = 3, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, True)
    return values[..., 0] if channels == 1 else values


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise with large and small structure: each library resamples it to other pixels."""
    coarse = Image.fromarray(noise(8, 8, seed=seed)).resize((width, height), Image.Resampling.BICUBIC)
    return Image.blend(coarse, Image.fromarray(noise(width, height, seed=seed + 1)), 0.3)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png16(channels: int) -> bytes:
    return cv2.imencode(".png", noise(61, 83, channels, np.uint16))[1].tobytes()


def without_adobe_marker(data: bytes) -> bytes:
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


def oriented(orientation: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photograph(90, 70), kind, exif=exif)


SIZES = [
    (500, 375),
    (375, 500),
    (333, 500),
    (500, 335),
    (56, 56),
    (1, 40),
    (40, 1),
    (2, 2),
    (3, 5),
    (256, 256),
    (257, 399),
    (344, 345),
]

UNUSUAL = {
    "grey jpeg": encoded(photograph(90, 70).convert("L"), "JPEG"),
    "grey png": encoded(photograph(90, 70).convert("L"), "PNG"),
    "one bit": encoded(photograph(90, 70).convert("1"), "PNG"),
    "cmyk": encoded(photograph(90, 70).convert("CMYK"), "JPEG", quality=95),
    "cmyk, not adobe's": without_adobe_marker(encoded(Image.fromarray(noise(90, 70, 4), "CMYK"), "JPEG", quality=95)),
    "cmyk of four inks": encoded(Image.fromarray(noise(90, 70, 4), "CMYK"), "JPEG", quality=95),
    "palette": encoded(photograph(90, 70).convert("P"), "PNG"),
    "palette with transparency": encoded(photograph(90, 70).convert("P"), "PNG", transparency=b"\x00\x80\xff"),
    "16 bit grey": png16(1),
    "16 bit": png16(3),
    "16 bit with alpha": png16(4),
    "rgba": encoded(Image.fromarray(noise(90, 70, 4)), "PNG"),
    "grey with alpha": encoded(photograph(90, 70).convert("LA"), "PNG"),
    "progressive": encoded(photograph(90, 70), "JPEG", progressive=True),
    "webp": encoded(photograph(90, 70), "WEBP"),
    **{f"exif {i}": oriented(i) for i in range(1, 9)},
    "exif 6 in a png": oriented(6, "PNG"),
    **{f"{width}x{height}": encoded(photograph(width, height), "JPEG") for width, height in SIZES},
}
