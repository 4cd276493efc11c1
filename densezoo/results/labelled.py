"""A picture with its label drawn over its top, as MindSpore Vision shows it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from densezoo.data.decoding import decode
from densezoo.errors import ConfigError, ImageError, ResultError
from densezoo.files import Extensions, replacing, written_as
from densezoo.protocols import get_protocol
from densezoo.types import Prediction, Protocol

PICTURE: Extensions = {".png": ("png",), ".jpg": ("jpeg",), ".jpeg": ("jpeg",), ".webp": ("webp",)}
_VIEWER = dataclasses.replace(get_protocol("torchvision"), decoder="pil16", exif=True)  # nothing but decoding is used
SMALLEST = 320  # pixels of the long side; a smaller picture is enlarged, so that its label can be read


def draw_label(content: bytes | NDArray[np.uint8], prediction: Prediction, protocol: Protocol) -> Image.Image:
    """The picture, upright and with all its bits, with its first answer on a dark strip at the top.

    Args:
        content: the encoded file, or pixels (H, W, 3) or (H, W).
        prediction: of that image.
        protocol: by which the network got it; its decoder is used for what only that one reads.
    """
    picture = _for_people(content, protocol)
    if max(picture.size) < SMALLEST:
        times = -(-SMALLEST // max(picture.size))
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    text = f"{prediction.name}  {100 * prediction.probability:.1f} %"
    size = max(12, round(picture.width / 24))
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont = ImageFont.load_default(size)
    while font.getlength(text) > picture.width - size and size > 8:
        size -= 1
        font = ImageFont.load_default(size)
    strip = Image.new("RGBA", (picture.width, 2 * size), (0, 0, 0, 160))
    ImageDraw.Draw(strip).text((size / 2, size), text, "white", font, anchor="lm")
    picture.paste(strip, (0, 0), strip)
    return picture


def _for_people(content: bytes | NDArray[np.uint8], protocol: Protocol) -> Image.Image:
    """The picture in RGB as a viewer shows it: DICOM through its window, 16 bits scaled to 8, upright."""
    try:
        decoded = decode(content, _VIEWER, "the picture to draw")
    except ImageError:  # such as a truncated JPEG, which some decoders fill up
        decoded = decode(content, protocol, "the picture to draw")
    if isinstance(decoded, Image.Image):
        return decoded.convert("RGB")
    pixels = decoded if decoded.dtype == np.uint8 else np.rint(decoded * 255).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB")


def drawn_path(place: Path, image: str, one: bool) -> Path:
    """Where the picture of an image goes.

    Args:
        place: the file of the only image, or a folder.
        image: what the image is called.
        one: whether there is only one.

    Raises:
        ConfigError: a file for several pictures.
    """
    if place.suffix.lower() not in PICTURE:
        stem = "standard-input" if image == "-" else image.strip("/.").replace("://", "/").replace("/", "-")
        return place / f"{stem}.png"
    if not one:
        raise ConfigError(f"{place}: is a file, and there are several pictures; expected a folder for --draw")
    return place


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture; its folder is made if need be.

    Args:
        path: its extension chooses the format.
        picture: in RGB.

    Raises:
        ConfigError: an extension of no picture.
        ResultError: the file can't be written.
    """
    kind = written_as(path, "picture", PICTURE)

    def unwritable(reason: str) -> ResultError:
        return ResultError(f"{path}: the picture can't be written ({reason}); choose another place by --draw")

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error.strerror or str(error)) from None
    with replacing(path, unwritable) as hidden:
        picture.save(hidden, kind)
