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
from torchvision import transforms
from torchvision.models import DenseNet121_Weights
from unusual_images import UNUSUAL, encoded, noise, oriented, photograph

import densezoo
from densezoo.data.preprocess import Preprocess
from densezoo.data.resampling import resized_size
from densezoo.errors import ImageError
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


def truncated(long: int, short: int) -> int:
    return long * 256 // short


def gluon(data: bytes) -> torch.Tensor:
    image = opencv(data, cv2.INTER_LINEAR, truncated, cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1].astype(np.float32)
    return torch.from_numpy((((image / np.float32(255)) - MEAN) / STD).transpose(2, 0, 1))


def gluon_record(data: bytes) -> torch.Tensor:
    image = opencv(data, cv2.INTER_LINEAR, truncated)[..., ::-1].astype(np.float32)
    mean, std = np.array([[123.68, 116.779, 103.939], [58.393, 57.12, 57.375]], np.float32)
    return torch.from_numpy(((image - mean) / std).transpose(2, 0, 1))


def paddle(data: bytes) -> torch.Tensor:
    """DecodeImage, ResizeImage, CropImage and NormalizeImage of PaddleClas."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    scale = 256.0 / min(image.shape[:2])
    height, width = (round(side * scale) for side in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    top, left = (height - 224) // 2, (width - 224) // 2
    rgb = image[top : top + 224, left : left + 224, ::-1].astype(np.float32)
    return torch.from_numpy(((rgb * np.float32(1 / 255.0) - MEAN) / STD).transpose(2, 0, 1))


def squeezed(data: bytes, flags: int = 0) -> np.ndarray:
    """BGR float32 (224, 224, 3), the centre of the image at 256 x 256."""
    return opencv(data, cv2.INTER_LINEAR, lambda long, short: 256, flags).astype(np.float32)


def mindspore_hub(data: bytes) -> torch.Tensor:
    image = squeezed(data, cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]
    return torch.from_numpy(((image - MEAN * np.float32(255)) / (STD * np.float32(255))).transpose(2, 0, 1))


def open_model_zoo(mean: list[float], std: float | list[float], rgb: bool) -> Callable[[bytes], torch.Tensor]:
    """Resize, crop and normalization of its accuracy checker."""

    def pipeline(data: bytes) -> torch.Tensor:
        image = squeezed(data)[..., ::-1] if rgb else squeezed(data)
        return torch.from_numpy(((image - np.array(mean, np.float32)) / np.array(std, np.float32)).transpose(2, 0, 1))

    return pipeline


def tensorflow(image: np.ndarray, size: tuple[int, int], centre: float) -> np.ndarray:
    """The definition of its bilinear resize, by matrices in double precision: RGB (H, W, 3) -> float64."""

    def matrix(before: int, after: int) -> np.ndarray:
        rows = np.zeros((after, before))
        for i in range(after):
            position = max((i + centre) * before / after - centre, 0)
            first = min(int(position), before - 1)
            rows[i, first] += 1 - (position - first)
            rows[i, min(first + 1, before - 1)] += position - first
        return rows

    across = np.einsum("xw,hwc->hxc", matrix(image.shape[1], size[0]), image.astype(np.float64), optimize=True)
    down: np.ndarray = np.einsum("yh,hxc->yxc", matrix(image.shape[0], size[1]), across, optimize=True)
    return down


def upright(data: bytes) -> np.ndarray:
    """RGB as OpenCV decodes it, not turned by EXIF."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert image is not None
    return image[..., ::-1]


def pudae(data: bytes) -> torch.Tensor:
    image = upright(data)
    scale = np.float32(256) / np.float32(min(image.shape[:2]))
    height, width = (int(np.float32(side) * scale) for side in image.shape[:2])
    top, left = (height - 224) // 2, (width - 224) // 2
    rgb = tensorflow(image, (width, height), 0.0)[top : top + 224, left : left + 224]
    return torch.from_numpy(((rgb - [123.68, 116.78, 103.94]) * 0.017).transpose(2, 0, 1))


def kerascv(data: bytes) -> torch.Tensor:
    image = upright(data)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = int((height - side) / 2), int((width - side) / 2)
    square = image[top : top + side, left : left + side]
    return torch.from_numpy((tensorflow(square, (224, 224), 0.5) / 255).transpose(2, 0, 1))


def places365(data: bytes) -> torch.Tensor:
    own = transforms.Compose([
        transforms.Resize((256, 256)), transforms.CenterCrop(224),
        normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])  # fmt: skip
    transformed: torch.Tensor = own(pillow(data))
    return transformed


def tf2cv(data: bytes) -> torch.Tensor:
    image = pillow(data)
    width, height = image.size
    size = (256, int(256 * height / width)) if width < height else (int(256 * width / height), 256)
    pixels = (
        np.array(image) if image.size == size else cv2.resize(np.array(image), size, interpolation=cv2.INTER_LINEAR)
    )
    top, left = (round((side - 224) / 2.0) for side in pixels.shape[:2])
    cut = Image.fromarray(pixels).crop((left, top, left + 224, top + 224))
    return torch.from_numpy(((np.array(cut) - MEAN * 255.0) / (STD * 255.0)).transpose(2, 0, 1))


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
    "timm-235": (timm(224, 0.95), 0),
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
    "gluon": (gluon, 0),
    "gluon-record": (gluon_record, 0),
    "tf2cv": (tf2cv, 1e-6),
    "paddle": (paddle, 1e-6),  # x 1/255 there, / 255 here
    "mindspore-hub": (mindspore_hub, 1e-6),
    "open-model-zoo": (open_model_zoo([103.94, 116.78, 123.68], 58.8235294, rgb=False), 1e-6),
    "open-model-zoo-keras": (open_model_zoo([123.68, 116.78, 103.94], [58.395, 57.12, 57.375], rgb=True), 1e-6),
    "open-model-zoo-pudae": (open_model_zoo([123.68, 116.78, 103.94], 58.8235294, rgb=True), 1e-6),
    "pudae": (pudae, 1e-4),  # float32 throughout there and here; double in the definition, at positions up to 10,000
    "kerascv": (kerascv, 1e-4),
    "places365": (places365, 0),
}

#: Files on which a publisher's decoder differs from the pipelines above; each has its own test below.
OWN_WAYS = {
    "torch7": {
        "16 bit grey", "16 bit", "16 bit with alpha", "grey with alpha", "webp", "cmyk", "cmyk of four inks",
        "cmyk, not adobe's",
    },
    "mindcv": {"cmyk", "cmyk of four inks", "cmyk, not adobe's"},
    "mindvision": {"cmyk", "cmyk of four inks", "cmyk, not adobe's"},
    "mindspore-hub": {"cmyk", "cmyk of four inks", "cmyk, not adobe's"},
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


@pytest.mark.parametrize("name", REAL)
def test_half_a_pixel_before_the_crop(name: str) -> None:
    """35 pixels are left over: 17 before it by rounding down, 18 by rounding half to even or up."""
    real, tolerance = REAL[name]
    data = encoded(Image.fromarray(noise(256, 259)), "PNG")
    assert (densezoo.get_protocol(name)(data) - real(data)).abs().max().item() <= tolerance


def normalised(mean: list[float], std: list[float]) -> transforms.Compose:
    return transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])


#: Of small images: the publishers' own transforms, which are torchvision's and timm's.
SMALL = {
    "cifar-dice": normalised([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    "cifar-huyvnphan": normalised([0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]),
    "cifar-hysts": normalised([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    "cifar100-detectors": create_transform(
        (3, 32, 32), crop_pct=1, interpolation="bilinear", mean=(0.5071, 0.4867, 0.4408), std=(0.2675, 0.2565, 0.2761)
    ),
    "svhn-detectors": create_transform(
        (3, 32, 32), crop_pct=1, interpolation="bilinear", mean=(0.4377, 0.4438, 0.4728), std=(0.1980, 0.2010, 0.1970)
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_images_to_the_last_bit(name: str) -> None:
    image = photograph(32, 32)
    data = encoded(image, "PNG")
    assert torch.equal(densezoo.get_protocol(name)(data), SMALL[name](pillow(data)))


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


def test_what_can_t_be_reproduced_is_said() -> None:
    for name in ("mindcv", "mindvision", "mindspore-hub"):
        assert "MindSpore" in PROTOCOLS[name].source
        assert "be reproduced here" in PROTOCOLS[name].source or "are not here" in PROTOCOLS[name].source
    for name in ("mxnet", "caffe", "keras", "flyyufelix", "gluon-record", "pudae", "kerascv"):
        assert any(word in PROTOCOLS[name].source.lower() for word in ("assumed", "repeats", "not stated")), name


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
