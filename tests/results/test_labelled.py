from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unusual_images import encoded

from densezoo.errors import ConfigError, ResultError
from densezoo.protocols import get_protocol
from densezoo.results.labelled import SMALLEST, draw_label, drawn_path, write_picture
from densezoo.types import Answer, Prediction

TORCHVISION = get_protocol("torchvision")
PREDICTION = Prediction("a.png", (Answer(151, "Chihuahua", 0.973),))


def test_the_label_is_drawn_over_the_top_and_nothing_else_changes() -> None:
    grey = np.full((300, 400, 3), 120, np.uint8)
    picture = np.asarray(draw_label(grey, PREDICTION, TORCHVISION))
    assert picture.shape == grey.shape
    strip, rest = picture[:34], picture[34:]
    assert (rest == 120).all()
    assert strip.min() < 60, "the strip is dark"
    assert strip.max() > 240, "and its text is white"
    other = np.asarray(draw_label(grey, Prediction("a.png", (Answer(0, "tench", 0.973),)), TORCHVISION))
    assert (strip != other[:34]).any()


def test_a_small_or_turned_picture() -> None:
    small = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert draw_label(encoded(small, "PNG"), PREDICTION, TORCHVISION).size == (SMALLEST, SMALLEST)
    turned = Image.new("RGB", (400, 200))
    turned.getexif()[0x0112] = 6
    assert draw_label(encoded(turned, "JPEG", exif=turned.getexif()), PREDICTION, TORCHVISION).size == (200, 400)


def test_16_bits_and_what_only_the_protocol_s_own_decoder_reads() -> None:
    deep = Image.fromarray(np.full((320, 320), 40000, np.uint16))
    picture = np.asarray(draw_label(encoded(deep, "PNG"), PREDICTION, TORCHVISION))
    assert (picture[100:] == 156).all(), "as a viewer shows it: 40000 of 65535"
    half = encoded(Image.new("RGB", (320, 320), "red"), "JPEG")[:-2]
    for name in ("caffe", "torch7"):
        assert draw_label(half[: len(half) * 3 // 4], PREDICTION, get_protocol(name)).size == (320, 320)


def test_a_long_name_is_drawn_smaller() -> None:
    name = "a very long name of a class that a narrow picture has no room for"
    long = Prediction("a", (Answer(0, name, 0.5),))
    picture = np.asarray(draw_label(np.zeros((400, 100, 3), np.uint8), long, TORCHVISION))
    assert picture.max() > 200


def test_where_pictures_go() -> None:
    assert drawn_path(Path("out"), "a/b.jpg", one=False) == Path("out/a-b.jpg.png")
    assert drawn_path(Path("out"), "https://host/b.jpg", one=True) == Path("out/https-host-b.jpg.png")
    assert drawn_path(Path("out"), "-", one=True) == Path("out/standard-input.png")
    assert drawn_path(Path("a.JPG"), "a/b.jpg", one=True) == Path("a.JPG")
    with pytest.raises(ConfigError, match=r"a\.png: is a file, and there are several pictures; expected a folder"):
        drawn_path(Path("a.png"), "a/b.jpg", one=False)


def test_writing(tmp_path: Path) -> None:
    write_picture(tmp_path / "new/a.jpg", Image.new("RGB", (4, 4)))
    with Image.open(tmp_path / "new/a.jpg") as image:
        assert image.format == "JPEG"
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="the picture can't be written"):
        write_picture(tmp_path / "file/a.png", Image.new("RGB", (4, 4)))
