"""A picture that a network sees turned is named, once."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from unusual_images import noise, oriented

from densezoo.data import orientation
from densezoo.data.layouts.given import given_images
from densezoo.data.layouts.pixels import sources_of
from densezoo.data.orientation import seen_as_stored, stored_orientation
from densezoo.protocols import get_protocol


@pytest.fixture(autouse=True)
def nothing_was_told() -> Iterator[None]:
    orientation._told.clear()
    yield
    orientation._told.clear()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [(oriented(6), 6), (oriented(1), 1), (Image.new("RGB", (2, 2)), 1), (b"", 1), (oriented(8)[:40], 1)],
)
def test_the_orientation(picture: bytes | Image.Image, expected: int) -> None:
    assert stored_orientation(picture) == expected


def test_the_first_such_picture_is_named_and_none_is_changed(caplog: pytest.LogCaptureFixture) -> None:
    pixels = noise(3, 2)
    given = given_images([("plain", oriented(1)), ("pixels", pixels), ("turned", oriented(6)), ("more", oriented(3))])
    images = seen_as_stored(given, "torchvision")
    assert (images.ids, len(images)) == (given.ids, 4)
    for index in range(len(images)):
        assert np.array_equal(images.read(index), given.read(index))
    (message,) = caplog.messages
    assert message.startswith("warning: turned: is stored turned (EXIF orientation 6), and protocol torchvision takes")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_of_every_format(format: str, caplog: pytest.LogCaptureFixture) -> None:
    image, file = Image.fromarray(noise(3, 2)), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, format, exif=exif)
    seen_as_stored(given_images([("turned", file.getvalue())]), "torchvision").read(0)
    assert "turned: is stored turned (EXIF orientation 6)" in caplog.text


def test_what_xmp_or_a_bigtiff_says(caplog: pytest.LogCaptureFixture) -> None:
    file, image = io.BytesIO(), Image.fromarray(noise(3, 2))
    image.save(file, "JPEG", xmp=b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
    seen_as_stored(given_images([("by XMP", file.getvalue())]), "torchvision").read(0)
    assert "by XMP: is stored turned (EXIF orientation 6)" in caplog.text
    orientation._told.clear()
    file, entries = io.BytesIO(), image.getexif()
    entries[0x0112] = 8
    image.save(file, "TIFF", exif=entries, big_tiff=True)
    assert file.getvalue()[:4] == b"II+\0"
    seen_as_stored(given_images([("big", file.getvalue())]), "torchvision").read(0)
    assert "big: is stored turned (EXIF orientation 8)" in caplog.text


def test_pillow_s_images_too_where_the_protocol_doesn_t_turn_them(caplog: pytest.LogCaptureFixture) -> None:
    image = Image.fromarray(noise(3, 2))
    image.getexif()[0x0112] = 8
    sources_of(image, get_protocol("mmpretrain"))
    assert caplog.text == ""
    sources_of(image, get_protocol("torchvision"))
    assert "image 0: is stored turned (EXIF orientation 8)" in caplog.text
