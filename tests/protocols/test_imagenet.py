"""ImageNet by those who train on it: the figures of their code, spelled out."""

from __future__ import annotations

import math

import pytest

from densezoo.protocols import get_protocol
from densezoo.types import Protocol

#: (short side, crop, interpolation, library, antialias, decoder, EXIF applied, rounding of the crop)
FIGURES = {
    "torchvision": (256, 224, "bilinear", "pil", True, "pil", False, "half_even"),
    "timm": (256, 224, "bicubic", "pil", True, "pil", False, "half_even"),
    "timm-288": (303, 288, "bicubic", "pil", True, "pil", False, "half_even"),
    "rdnet": (248, 224, "bicubic", "pil", True, "pil", False, "half_even"),
    "rdnet-384": (384, 384, "bicubic", "pil", True, "pil", False, "half_even"),
    "mmpretrain": (256, 224, "bilinear", "cv2", False, "cv2.imdecode", True, "half_even"),
    "torch7": (256, 224, "bicubic", "torch7", False, "torch7", False, "ceil"),
}


def figures(protocol: Protocol) -> tuple[object, ...]:
    return (
        protocol.resize, protocol.crop, protocol.interpolation, protocol.resize_backend, protocol.antialias,
        protocol.decoder, protocol.exif, protocol.crop_rounding,
    )  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_sizes_and_resampling(name: str) -> None:
    assert figures(get_protocol(name)) == FIGURES[name]


@pytest.mark.parametrize("name", FIGURES)
def test_means_and_deviations(name: str) -> None:
    protocol = get_protocol(name)
    if name == "mmpretrain":
        stated = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 255.0)
    else:
        stated = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0)
    assert (protocol.mean, protocol.std, protocol.value_range) == stated
    assert protocol.channel_order == "RGB"


@pytest.mark.parametrize(
    ("name", "crop_pct"), [("timm", 0.875), ("timm-288", 0.95), ("rdnet", 0.9), ("rdnet-384", 1.0)]
)
def test_timm_s_short_side_is_the_crop_by_its_share_rounded_down(name: str, crop_pct: float) -> None:
    protocol = get_protocol(name)
    assert protocol.crop is not None
    assert protocol.resize == math.floor(protocol.crop / crop_pct)
