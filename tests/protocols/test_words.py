from __future__ import annotations

import dataclasses

import pytest

from densezoo.protocols import PROTOCOLS
from densezoo.protocols.words import STEPS, differences, resampling, resizing


def test_the_steps_of_a_protocol_in_words() -> None:
    said = {name: step(PROTOCOLS["keras"]) for name, step in STEPS.items()}
    assert said == {
        "decoded by": "OpenCV, turned by EXIF",
        "short side to crop": "256 to 224",
        "filter": "bicubic",
        "resized by": "OpenCV, no antialias",
        "crop's offset": "rounded down",
        "mean / deviation": "ImageNet's",
        "channels": "RGB",
    }
    assert STEPS["mean / deviation"](PROTOCOLS["mindcv"]) == "ImageNet's"  # in units of 255
    assert STEPS["mean / deviation"](PROTOCOLS["cifar10"]).startswith("(125.3 123 113.9) / (63 62.1 66.7) of 0 to 255")
    assert STEPS["mean / deviation"](PROTOCOLS["svhn"]) == "none: 0 to 1"
    assert STEPS["channels"](PROTOCOLS["digits"]) == "grey"


def test_how_a_protocol_resizes() -> None:
    assert resampling(PROTOCOLS["timm"]) == "bicubic, Pillow, antialias"
    assert resampling(PROTOCOLS["cifar10"]) == ""


@pytest.mark.parametrize(
    ("name", "in_a_table", "in_a_sentence"),
    [
        ("timm", "256 to 224", "short side to 256 px, bicubic"),
        ("paddle", "256, long side rounded, to 224", "short side to 256 px, bilinear"),
        ("places365", "256 x 256 to 224", "both sides to 256 px, bilinear"),
        ("kerascv", "the square, 224 to 224", "the central square to 224 px, bilinear"),
        ("tf2cv", "256 to 224; 224 x 224 as it is", "short side to 256 px, bilinear"),
        ("svhn", "as it is", ""),
    ],
)
def test_to_what_a_protocol_resizes(name: str, in_a_table: str, in_a_sentence: str) -> None:
    assert STEPS["short side to crop"](PROTOCOLS[name]) == in_a_table
    assert resizing(PROTOCOLS[name]) == in_a_sentence


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"exif": True}, "decoded by"),
        ({"resize": 232}, "short side to crop"),
        ({"long_side": "same"}, "short side to crop"),
        ({"interpolation": "bicubic"}, "filter"),
        ({"crop_rounding": "floor"}, "crop's offset"),
        ({"mean": (0.5, 0.5, 0.5)}, "mean / deviation"),
        ({"channel_order": "BGR"}, "channels"),
    ],
)
def test_a_difference_is_named_by_its_step(changes: dict[str, object], step: str) -> None:
    usual = PROTOCOLS["torchvision"]
    assert list(differences(usual, dataclasses.replace(usual, **changes))) == [step]  # type: ignore[arg-type]
    assert not differences(usual, dataclasses.replace(usual, name="another", source="elsewhere"))
