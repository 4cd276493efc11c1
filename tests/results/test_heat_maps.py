"""A picture with its heat map: where it is warm, how large it is, what the diagram says."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from densezoo.results.heat_maps import coloured, draw_heat_map, enlarged, overlaid

GREY = np.full((8, 8), 128, np.uint8)


def test_the_warm_part_gets_the_colour_and_the_cold_one_stays() -> None:
    heat = np.array([[0, 0], [0, 1]], np.float32)
    with Image.open(BytesIO(overlaid(GREY, heat))) as picture:
        pixels = np.asarray(picture, int)
    assert pixels.shape == (320, 320, 3)
    assert pixels[0, 0].tolist() == [128, 128, 128]
    assert np.abs(pixels[-1, -1] - (0.45 * 128 + 0.55 * np.array([252, 255, 164]))).max() <= 1


def test_a_large_picture_keeps_its_size() -> None:
    pixels = np.zeros((400, 330, 3), np.uint8)
    with Image.open(BytesIO(overlaid(pixels, np.ones((3, 3), np.float32)))) as picture:
        assert picture.size == (330, 400)


def test_the_colours_get_brighter_all_the_way() -> None:
    shades = coloured(np.linspace(0, 1, 50, dtype=np.float32)[None])[0].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(shades) > 0).all()
    larger = enlarged(np.array([[0, 1]], np.float32), 4, 8)
    assert larger.shape == (4, 8)
    assert (np.diff(larger[0]) >= 0).all()


def test_what_the_diagram_says(tmp_path: Path) -> None:
    draw_heat_map(tmp_path / "a.svg", GREY, np.ones((2, 4), np.float32), "cat: 91.0 %", "features.norm5", "dark")
    text = (tmp_path / "a.svg").read_text()
    for words in ("cat: 91.0 %", "what the network gets: 8 x 8 px", "speaks for it (4 x 2, features.norm5)", "most"):
        assert f"<!-- {words} -->" in text
