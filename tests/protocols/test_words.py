from __future__ import annotations

import dataclasses

import pytest

from densezoo.protocols import PROTOCOLS
from densezoo.protocols.words import STEPS, differences, resampling


def test_the_steps_of_a_protocol_in_words() -> None:
    said = {name: step(PROTOCOLS["keras"]) for name, step in STEPS.items()}
    assert said == {
        "decoded by": "OpenCV, turned by EXIF",
        "short side to crop": "256 to 224",
        "long side": "in proportion",
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
    assert resampling(PROTOCOLS["open-model-zoo"]) == "bilinear, OpenCV, no antialias, aspect ratio lost"


DIFFERENCES: list[tuple[dict[str, object], str]] = [
    ({"decoder": "mindspore"}, "decoded by"),
    ({"exif": True}, "decoded by"),
    ({"resize": 232}, "short side to crop"),
    ({"crop": 225}, "short side to crop"),
    ({"long_side": "same"}, "long side"),
    ({"interpolation": "bicubic"}, "filter"),
    ({"resize_backend": "cv2", "antialias": False}, "resized by"),
    ({"crop_rounding": "floor"}, "crop's offset"),
    ({"mean": (0.5, 0.5, 0.5)}, "mean / deviation"),
    ({"std": (0.5, 0.5, 0.5)}, "mean / deviation"),
    ({"value_range": 255.0}, "mean / deviation"),
    ({"channel_order": "BGR"}, "channels"),
]


def test_every_field_of_a_protocol_is_a_part_of_a_step() -> None:
    changed = {name for changes, _ in DIFFERENCES for name in changes}
    fields = {field.name for field in dataclasses.fields(PROTOCOLS["timm"])}
    assert fields == changed | {"name", "source", "image_size"}  # the last is a condition on the images


@pytest.mark.parametrize(("changes", "step"), DIFFERENCES)
def test_a_difference_is_named_by_its_step(changes: dict[str, object], step: str) -> None:
    usual = PROTOCOLS["torchvision"]
    assert list(differences(usual, dataclasses.replace(usual, **changes))) == [step]  # type: ignore[arg-type]
    assert not differences(usual, dataclasses.replace(usual, name="another", source="elsewhere"))
