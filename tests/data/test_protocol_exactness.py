"""Every protocol against the real transforms, and where those aren't to be had, against its definition step by step."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmcv.transforms import CenterCrop
from PIL import Image
from timm.data.transforms_factory import create_transform
from torchvision.models import DenseNet121_Weights
from unusual_images import UNUSUAL, encoded, noise, oriented, photograph

import densezoo
from densezoo.data.preprocess import Preprocess
from densezoo.data.resampling import resized_size
from densezoo.errors import ConfigError, ImageError
from densezoo.protocols import PROTOCOLS, get_protocol, same_kind
from densezoo.types import Protocol

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "torch7_preprocess"
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def pillow(data: bytes) -> Image.Image:
    with warnings.catch_warnings():  # of transparency in a palette
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data)).convert("RGB")


def torchvision(data: bytes) -> torch.Tensor:
    transformed: torch.Tensor = DenseNet121_Weights.IMAGENET1K_V1.transforms()(pillow(data))
    return transformed


def timm(size: int, crop_pct: float) -> Callable[[bytes], torch.Tensor]:
    transform = create_transform((3, size, size), interpolation="bicubic", crop_pct=crop_pct)
    return lambda data: transform(pillow(data))


def mmpretrain(data: bytes) -> torch.Tensor:
    image = mmcv.imfrombytes(data, flag="color", backend="cv2")
    height, width = image.shape[:2]
    scale = (256, int(256 * height / width)) if width < height else (int(256 * width / height), 256)  # ResizeEdge
    image = mmcv.imresize(image, scale, interpolation="bilinear", backend="cv2")
    image = CenterCrop(224).transform({"img": image})["img"]
    rgb = torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))).float()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    return (rgb - mean) / std  # ImgDataPreprocessor


def opencv(data: bytes, interpolation: int, long_side: Callable[[int, int], int], flags: int = 0) -> np.ndarray:
    """BGR (224, 224, 3) of the centre, its offset rounded down."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | flags)
    assert image is not None
    height, width = image.shape[:2]
    size = (256, long_side(height, width)) if width <= height else (long_side(width, height), 256)
    image = cv2.resize(image, size, interpolation=interpolation)
    top, left = (image.shape[0] - 224) // 2, (image.shape[1] - 224) // 2
    return image[top : top + 224, left : left + 224]


def caffe(data: bytes) -> torch.Tensor:
    image = opencv(data, cv2.INTER_LINEAR, lambda long, short: int(256 * long / short)).astype(np.float32)
    mean = np.array([103.94, 116.78, 123.68], np.float32)
    return torch.from_numpy(((image - mean) * np.float32(0.017)).transpose(2, 0, 1))


def keras(data: bytes) -> torch.Tensor:
    image = opencv(data, cv2.INTER_CUBIC, lambda long, short: int(256 * long / short))[..., ::-1].astype(np.float32)
    return torch.from_numpy((((image / np.float32(255)) - MEAN) / STD).transpose(2, 0, 1))


def mindspore(data: bytes) -> torch.Tensor:
    def long_side(long: int, short: int) -> int:
        return math.floor(float(np.float32(long) / np.float32(short) * np.float32(256)))

    image = opencv(data, cv2.INTER_LINEAR, long_side, cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1].astype(np.float32)
    return torch.from_numpy(((image - MEAN * np.float32(255)) / (STD * np.float32(255))).transpose(2, 0, 1))


def torch7(data: bytes) -> torch.Tensor:
    image = np.asarray(pillow(data)).astype(np.float64) / 255
    height, width = image.shape[:2]
    if width < height:
        size = (256, int(height / width * 256))
    else:
        size = (int(width / height * 256), 256)
    image = cubic(cubic(image.swapaxes(0, 1), size[0]).swapaxes(0, 1), size[1])
    top, left = math.ceil((size[1] - 224) / 2), math.ceil((size[0] - 224) / 2)
    image = (image[top : top + 224, left : left + 224] - MEAN) / STD
    return torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1))


def cubic(rows: np.ndarray, size: int) -> np.ndarray:
    """Catmull-Rom over the first axis as its matrix: rows beyond a border lie on the line of the last two."""
    last = len(rows) - 1
    step = np.float32(last) / np.float32(size - 1)
    padded = np.concatenate([2 * rows[:1] - rows[1:2], rows, 2 * rows[-1:] - rows[-2:-1]]) if last else rows
    out = []
    for i in range(size):
        place = float(np.float32(i) * step)
        whole = min(int(place), last - 1)
        t = place - whole
        weights = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
        four = padded[whole : whole + 4] if last else np.repeat(rows, 4, 0)
        out.append(sum(weight / 2 * row for weight, row in zip(weights, four)))
    return np.stack(out)


#: {protocol: (the pipeline, the largest difference that its arithmetic explains)}
REAL = {
    "torchvision": (torchvision, 0),
    "timm": (timm(224, 0.875), 0),
    "timm-288": (timm(288, 0.95), 0),
    "rdnet": (timm(224, 0.9), 0),
    "rdnet-384": (timm(384, 1.0), 0),
    "mmpretrain": (mmpretrain, 0),
    "torch7": (torch7, 1e-5),  # float32 throughout there; double here but for the positions
    "caffe": (caffe, 1e-6),  # x 0.017 there, / (1 / 0.017) here
    "keras": (keras, 0),
    "mindcv": (mindspore, 1e-6),
    "mindvision": (mindspore, 1e-6),
    "mxnet": (caffe, 1e-6),
    "flyyufelix": (caffe, 1e-6),
}

#: Files on which a publisher's decoder differs from the pipelines above; each has its own test below.
OWN_WAYS = {
    "torch7": {
        "16 bit grey", "16 bit", "16 bit with alpha", "grey with alpha", "webp", "cmyk", "cmyk of four inks",
        "cmyk, not adobe's",
    },
    "mindcv": {"cmyk", "cmyk of four inks", "cmyk, not adobe's"},
    "mindvision": {"cmyk", "cmyk of four inks", "cmyk, not adobe's"},
}  # fmt: skip


def test_every_imagenet_protocol_has_its_real_pipeline() -> None:
    assert set(REAL) == {protocol.name for protocol in same_kind(get_protocol("timm"))}


CASES = [(name, image) for name in REAL for image in UNUSUAL if image not in OWN_WAYS.get(name, ())]


@pytest.mark.parametrize(("name", "image"), CASES)
def test_pixel_for_pixel(name: str, image: str) -> None:
    real, tolerance = REAL[name]
    ours, theirs = densezoo.get_protocol(name)(UNUSUAL[image]), real(UNUSUAL[image])
    assert ours.dtype == torch.float32
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max().item() <= tolerance


@pytest.mark.parametrize("picture", ["landscape", "small"])
def test_torch7_s_own_tensors(picture: str) -> None:
    theirs = np.load(FIXTURES / f"{picture}_center224.npz")["tensor"]
    difference = np.abs(densezoo.get_protocol("torch7")(FIXTURES / f"{picture}.png").numpy() - theirs)
    assert difference.mean() < 1e-7
    assert difference.max() < 2e-6


def channels(data: bytes, name: str = "torch7") -> torch.Tensor:
    """The decoded values 0..1 (3, H, W), without resize, crop and normalisation."""
    decoder = get_protocol(name).decoder
    plain = Protocol(name="plain", source="test", mean=(0.0,) * 3, std=(1.0,) * 3, decoder=decoder)
    return Preprocess(plain)(data)


def test_torch7_keeps_16_bits() -> None:
    expected = noise(61, 83, 3, np.uint16)[..., ::-1].astype(np.float32) / np.float32(65535)
    assert np.array_equal(channels(UNUSUAL["16 bit"]).permute(1, 2, 0).numpy(), expected)
    grey = noise(61, 83, 1, np.uint16).astype(np.float32) / np.float32(65535)
    assert all(np.array_equal(plane.numpy(), grey) for plane in channels(UNUSUAL["16 bit grey"]))
    alpha = noise(61, 83, 4, np.uint16)[..., 2::-1].astype(np.float32) / np.float32(65535)
    assert np.array_equal(channels(UNUSUAL["16 bit with alpha"]).permute(1, 2, 0).numpy(), alpha)


def test_16_bit_grey_elsewhere() -> None:
    """Pillow clips at 255, OpenCV keeps the high byte."""
    values = noise(61, 83, 1, np.uint16)
    assert np.array_equal(channels(UNUSUAL["16 bit grey"], "torchvision")[0] * 255, np.minimum(values, 255))
    ours = channels(UNUSUAL["16 bit grey"], "mmpretrain")[0].numpy() * 255
    assert np.array_equal(np.rint(ours), values >> 8)


@pytest.mark.parametrize("image", ["cmyk", "cmyk of four inks", "cmyk, not adobe's"])
def test_cmyk_in_torch7_and_mindspore(image: str) -> None:
    """Torch7 takes the first three of the stored inks for colours; MindSpore multiplies by the fourth."""
    stored = 255 - np.asarray(Image.open(io.BytesIO(UNUSUAL[image]))).astype(int)  # Pillow turns them round
    torch7 = np.rint(channels(UNUSUAL[image]).permute(1, 2, 0).numpy() * 255)
    assert np.array_equal(torch7, stored[..., :3])
    light = 255 - stored if image == "cmyk, not adobe's" else stored
    mindspore = np.rint(channels(UNUSUAL[image], "mindcv").permute(1, 2, 0).numpy() * 255)
    assert np.array_equal(mindspore, light[..., :3] * light[..., 3:] // 255)


@pytest.mark.parametrize(("image", "reason"), [("grey with alpha", "with alpha"), ("webp", "this is WEBP")])
def test_what_torch7_refuses(image: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        densezoo.get_protocol("torch7")(UNUSUAL[image])


@pytest.mark.parametrize("name", ["torchvision", "mmpretrain", "torch7"])
def test_a_path_bytes_and_a_pillow_image(tmp_path: Path, name: str) -> None:
    """PNG named .JPEG; and pixels that Pillow has decoded are the same pixels."""
    data = encoded(photograph(300, 200), "PNG")
    (tmp_path / "x.JPEG").write_bytes(data)
    protocol = densezoo.get_protocol(name)
    assert protocol.protocol == get_protocol(name)
    for image in (tmp_path / "x.JPEG", str(tmp_path / "x.JPEG"), pillow(data)):
        assert torch.equal(protocol(image), protocol(data))


def test_a_pillow_image_is_turned_where_the_protocol_turns_files() -> None:
    image = Image.open(io.BytesIO(oriented(6)))
    turned = Image.fromarray(np.asarray(image.transpose(Image.Transpose.ROTATE_270)))
    assert torch.equal(densezoo.get_protocol("keras")(image), densezoo.get_protocol("keras")(turned))
    assert torch.equal(densezoo.get_protocol("timm")(image), densezoo.get_protocol("timm")(image.convert("RGB")))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone.png: can't be read \(No such file"):
        densezoo.get_protocol("timm")(tmp_path / "gone.png")


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_order_of_operations_does_not_matter_at_256(width: int, height: int) -> None:
    """Torch7 divides first, MindSpore does so in single precision."""
    long, short = max(width, height), min(width, height)
    expected = max(resized_size(width, height, 256))
    assert int(long / short * 256) == expected
    if long <= 40 * short:
        assert math.floor(np.float32(long) / np.float32(short) * np.float32(256)) == expected


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


def test_what_can_t_be_reproduced_is_said() -> None:
    for name in ("mindcv", "mindvision"):
        assert "MindSpore" in PROTOCOLS[name].source
        assert "be reproduced here" in PROTOCOLS[name].source or "are not here" in PROTOCOLS[name].source
    for name in ("mxnet", "caffe", "keras", "flyyufelix"):
        assert any(word in PROTOCOLS[name].source for word in ("assumed", "repeats")), name


PHOTOGRAPHS = os.environ.get("DENSEZOO_PHOTOGRAPHS")


@pytest.mark.skipif(PHOTOGRAPHS is None, reason="DENSEZOO_PHOTOGRAPHS names no tar of photographs")
@pytest.mark.parametrize("name", REAL)
def test_photographs(name: str) -> None:
    """DENSEZOO_PHOTOGRAPHS=imagenet_sample.tar pytest tests/data/test_protocol_exactness.py -k photographs -rP"""
    real, tolerance = REAL[name]
    differences = []
    with tarfile.open(str(PHOTOGRAPHS)) as tar:
        for member in tar:
            if member.isfile() and member.name.lower().endswith((".jpeg", ".jpg", ".png")):
                file = tar.extractfile(member)
                assert file is not None
                data = file.read()
                differences.append((densezoo.get_protocol(name)(data) - real(data)).abs())
    largest = max(d.max().item() for d in differences)
    figures = {"photographs": len(differences), "largest": largest, "mean": torch.cat(differences).mean().item()}
    sys.stdout.write(json.dumps({"protocol": name, **figures}) + "\n")
    assert differences
    assert largest <= tolerance
