"""A protocol whose fields contradict each other doesn't come to be."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from densezoo.errors import ConfigError
from densezoo.types import Protocol


@pytest.mark.parametrize(
    "values",
    [
        {"mean": (0.5,)},
        {"std": (1.0, 1.0)},
        {"resize": 256},
        {"interpolation": "bilinear"},
        {"crop": 224},
        {"crop": 224, "resize": 200, "interpolation": "bilinear"},
    ],
)
def test_an_impossible_protocol_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="protocol 'p'"):
        Protocol(**{"name": "p", "source": "", "mean": (0.0,) * 3, "std": (1.0,) * 3, **values})


SAMPLED = {"resize_backend": "torch7", "antialias": False, "resize": 256}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mean": (0.0,)}, "expected 3 means and deviations"),
        ({"resize": 256}, "resize and interpolation come together"),
        ({"crop": 224}, "crop 224 needs a resize of at least that"),
        ({"decoder": "torch7", "exif": True}, "torch7 knows no EXIF"),
        (
            {"decoder": "cv2.imread", "mean": (0.0,), "std": (1.0,), "channel_order": "L"},
            "cv2.imread has no grey channel alone",
        ),
        ({"long_side": "same", "resize": None, "interpolation": None, "crop": None}, "long_side is same, and nothing"),
        ({"antialias": False}, "antialias is False, and pil can't"),
        ({"resize_backend": "cv2"}, "antialias is True, and cv2 can't"),
        (
            {**SAMPLED, "interpolation": "bilinear"},
            "torch7 has no bilinear",
        ),
        (
            {
                "resize_backend": "torch7",
                "antialias": False,
                "resize": 9,
                "interpolation": "bicubic",
                "value_range": 255.0,
            },
            r"torch7 resizes to pixels in 0\.\.1",
        ),
    ],
)
def test_a_protocol_that_contradicts_itself(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Protocol(**{"name": "x", "source": "test", "mean": (0.0,) * 3, "std": (1.0,) * 3, **fields})


def test_a_protocol_is_a_value() -> None:
    """Equal fields are one protocol, in a set and as a key; another digit is another one."""
    one, same = (Protocol("p", "s", (0.5,) * 3, (0.25,) * 3, resize=9, interpolation="bicubic") for _ in range(2))
    assert {one, same} == {one}
    assert dataclasses.replace(one, resize=10) != one


@pytest.mark.parametrize(
    ("crop", "resize", "fraction"),
    [(224, 256, 0.875), (288, 303, 0.95), (224, 235, 0.95), (224, 248, 0.9), (384, 384, 1.0), (3, 4099, 3 / 4099)],
)
def test_the_crop_s_fraction_gives_the_short_side_again(crop: int, resize: int, fraction: float) -> None:
    """timm/data/transforms_factory.py: floor(img_size / crop_pct)."""
    sides: dict[str, Any] = {"crop": crop, "resize": resize, "interpolation": "bilinear"}
    assert Protocol(name="p", source="", mean=(0.0,) * 3, std=(1.0,) * 3, **sides).crop_pct == fraction


def test_without_a_crop_it_has_no_fraction() -> None:
    assert Protocol(name="p", source="", mean=(0.0,) * 3, std=(1.0,) * 3).crop_pct is None
