"""ImageNet by those who publish converted weights: the figures of their documents, spelled out."""

from __future__ import annotations

import pytest

from densezoo.protocols import get_protocol, ports

RGB = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0, "RGB")
RGB_255 = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 255.0, "RGB")
SHICAI = ((103.94, 116.78, 123.68), (1 / 0.017,) * 3, 255.0, "BGR")
#: {name: (interpolation, decoder, EXIF applied, mean, std, range, order)}
FIGURES = {
    "caffe": ("bilinear", "cv2.imread", True, *SHICAI),
    "mxnet": ("bilinear", "cv2.imread", True, *SHICAI),
    "flyyufelix": ("bilinear", "cv2.imread", True, *SHICAI),
    "keras": ("bicubic", "cv2.imread", True, *RGB),
    "mindcv": ("bilinear", "mindspore", False, *RGB_255),
    "mindvision": ("bilinear", "mindspore", False, *RGB_255),
}


def test_every_port_is_here() -> None:
    assert set(FIGURES) == {protocol.name for protocol in ports.PROTOCOLS}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name: str) -> None:
    """All of them: short side 256 by OpenCV without antialias, the central 224 with its offset rounded down."""
    protocol = get_protocol(name)
    assert (protocol.resize, protocol.crop, protocol.resize_backend) == (256, 224, "cv2")
    assert (protocol.antialias, protocol.crop_rounding) == (False, "floor")
    interpolation, decoder, exif, mean, std, value_range, order = FIGURES[name]
    assert (protocol.interpolation, protocol.decoder, protocol.exif) == (interpolation, decoder, exif)
    assert (protocol.value_range, protocol.channel_order) == (value_range, order)
    assert protocol.mean == pytest.approx(mean, rel=1e-12)
    assert protocol.std == pytest.approx(std, rel=1e-12)


def test_what_a_port_assumes_differs_from_what_it_takes_over_in_words_alone() -> None:
    """So that a published figure of one is comparable with a measurement under the other."""
    for name, origin in (("mxnet", "caffe"), ("flyyufelix", "caffe"), ("mindvision", "mindcv")):
        own, taken = vars(get_protocol(name)), vars(get_protocol(origin))
        assert {key for key in own if own[key] != taken[key]} == {"name", "source"}
