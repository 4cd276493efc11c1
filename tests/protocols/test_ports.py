"""ImageNet by those who publish converted weights: the figures of their documents, spelled out."""

from __future__ import annotations

import pytest

from densezoo.protocols import get_protocol, ports

RGB = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0, "RGB")
RGB_255 = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 255.0, "RGB")
RECORD = ((123.68, 116.779, 103.939), (58.393, 57.12, 57.375), 255.0, "RGB")
SHICAI = ((103.94, 116.78, 123.68), (1 / 0.017,) * 3, 255.0, "BGR")
IMAGENET = (123.68, 116.78, 103.94)
#: {name: (interpolation, decoder, EXIF applied, rounding of the crop, mean, std, range, order)}
FIGURES = {
    "caffe": ("bilinear", "cv2.imread", True, "floor", *SHICAI),
    "mxnet": ("bilinear", "cv2.imread", True, "floor", *SHICAI),
    "flyyufelix": ("bilinear", "cv2.imread", True, "floor", *SHICAI),
    "keras": ("bicubic", "cv2.imread", True, "floor", *RGB),
    "mindcv": ("bilinear", "mindspore", False, "floor", *RGB_255),
    "mindvision": ("bilinear", "mindspore", False, "floor", *RGB_255),
    "gluon": ("bilinear", "cv2.imdecode", False, "floor", *RGB),
    "gluon-record": ("bilinear", "cv2.imdecode", True, "floor", *RECORD),
    "tf2cv": ("bilinear", "pil", False, "half_even", *RGB_255),
    "paddle": ("bilinear", "cv2.imdecode", True, "floor", *RGB),
    "mindspore-hub": ("bilinear", "mindspore", False, "floor", *RGB_255),
    "open-model-zoo": ("bilinear", "cv2.imread", True, "floor", *SHICAI),
    "open-model-zoo-keras": ("bilinear", "cv2.imread", True, "floor", IMAGENET, RGB_255[1], 255.0, "RGB"),
    "open-model-zoo-pudae": ("bilinear", "cv2.imread", True, "floor", IMAGENET, SHICAI[1], 255.0, "RGB"),
    "pudae": ("bilinear", "cv2.imdecode", False, "floor", IMAGENET, SHICAI[1], 255.0, "RGB"),
    "kerascv": ("bilinear", "cv2.imdecode", False, "floor", (0.0,) * 3, (255.0,) * 3, 255.0, "RGB"),
    "places365": ("bilinear", "pil", False, "half_even", *RGB),
}
#: Who does not round the long side down.
LONG_SIDES = {
    "paddle": "half_even", "mindspore-hub": "same", "open-model-zoo": "same", "open-model-zoo-keras": "same",
    "open-model-zoo-pudae": "same", "places365": "same", "kerascv": "cut", "pudae": "single",
}  # fmt: skip
#: Who does not resize with OpenCV.
BACKENDS = {"places365": "pil", "pudae": "tensorflow1", "kerascv": "tensorflow"}


def test_every_port_is_here() -> None:
    assert set(FIGURES) == {protocol.name for protocol in ports.PROTOCOLS}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name: str) -> None:
    """Nearly all of them: short side 256 without antialias, the central 224."""
    protocol = get_protocol(name)
    backend, short = BACKENDS.get(name, "cv2"), 224 if name == "kerascv" else 256
    assert (protocol.resize, protocol.crop, protocol.resize_backend) == (short, 224, backend)
    assert protocol.antialias == (backend == "pil")
    assert protocol.keeps_crop_size == (name == "tf2cv")
    assert protocol.long_side == LONG_SIDES.get(name, "floor")
    interpolation, decoder, exif, rounding, mean, std, value_range, order = FIGURES[name]
    assert (protocol.interpolation, protocol.decoder, protocol.exif) == (interpolation, decoder, exif)
    assert (protocol.crop_rounding, protocol.value_range, protocol.channel_order) == (rounding, value_range, order)
    assert protocol.mean == pytest.approx(mean, rel=1e-12)
    assert protocol.std == pytest.approx(std, rel=1e-12)


def test_what_a_port_assumes_differs_from_what_it_takes_over_in_words_alone() -> None:
    """So that a published figure of one is comparable with a measurement under the other."""
    for name, origin in (("mxnet", "caffe"), ("flyyufelix", "caffe"), ("mindvision", "mindcv")):
        own, taken = vars(get_protocol(name)), vars(get_protocol(origin))
        assert {key for key in own if own[key] != taken[key]} == {"name", "source"}
