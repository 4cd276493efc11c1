from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from unusual_images import noise

from densezoo.data import views
from densezoo.data.decoding import decode
from densezoo.data.images import ArrayImages
from densezoo.data.layouts.arrays import digits
from densezoo.data.loading import batches_by_protocol
from densezoo.data.preprocess import resized, to_pixels
from densezoo.data.views import AUGMENTATIONS, check_fits, get_augmentation, to_views
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols import get_protocol

TEN, FLIP, SIZES = (AUGMENTATIONS[name] for name in ("ten-crop", "flip", "multi-size"))


def lua_ten_crop(image: torch.Tensor, size: int) -> torch.Tensor:
    """transforms.lua TenCrop, line by line; image is (C, H, W)."""
    h, w = image.shape[1:]
    out = []
    for img in (image, image.flip(2)):
        w1, h1 = -(-(w - size) // 2), -(-(h - size) // 2)  # math.ceil, CenterCrop
        for x, y in ((w1, h1), (0, 0), (w - size, 0), (0, h - size), (w - size, h - size)):
            out.append(img[:, y : y + size, x : x + size])
    return torch.stack(out)


@pytest.mark.parametrize(("width", "height"), [(301, 256), (256, 299), (400, 300)])  # odd margins: mirror, then crop
def test_ten_crop_is_luas(width: int, height: int) -> None:
    image, torch7 = Image.fromarray(noise(width, height, seed=1)), get_protocol("torch7")
    decoded = decode(image, torch7, "x")
    rows = resized(decoded, torch7)
    assert isinstance(rows, np.ndarray)
    whole = torch.from_numpy(np.ascontiguousarray(rows.transpose(2, 0, 1)))
    assert torch.equal(to_views(decoded, torch7, TEN), lua_ten_crop(whole, 224))


@pytest.mark.parametrize("name", ["torchvision", "caffe", "torch7", "cifar10"])
def test_flip_is_the_image_and_its_mirror_image(name: str) -> None:
    protocol = get_protocol(name)
    decoded = decode(Image.fromarray(noise(256, 256, seed=2)), protocol, "x")
    straight, mirrored = to_views(decoded, protocol, FLIP)
    assert torch.equal(straight, to_pixels(decoded, protocol))
    assert torch.equal(mirrored, straight.flip(2))


def test_sizes_keep_the_crop() -> None:
    protocol = get_protocol("torchvision")
    decoded = decode(Image.fromarray(noise(640, 640, seed=3)), protocol, "x")
    views = to_views(decoded, protocol, SIZES)
    assert views.shape == (6, 3, 224, 224)
    assert torch.equal(views[0], to_pixels(decoded, protocol))
    larger = (
        Image.fromarray(noise(640, 640, seed=3)).resize((320, 320), Image.Resampling.BILINEAR).crop((48, 48, 272, 272))
    )
    assert torch.equal(views[4], torch.from_numpy(np.asarray(larger).transpose(2, 0, 1).copy()))
    assert torch.equal(views[5], views[4].flip(2))


def test_crops_need_a_protocol_that_crops() -> None:
    for augmentation in (TEN, SIZES):
        with pytest.raises(
            ConfigError, match="--tta .* needs a protocol that resizes and crops; cifar10 takes the image"
        ):
            check_fits(augmentation, get_protocol("cifar10"))
        check_fits(augmentation, get_protocol("torch7"))
    check_fits(FLIP, get_protocol("cifar10"))
    check_fits(None, get_protocol("cifar10"))


def test_names() -> None:
    assert get_augmentation(None) is None
    with pytest.raises(
        UnknownNameError, match="there is no test-time augmentation 'tencrop'; did you mean 'ten-crop'?"
    ):
        get_augmentation("tencrop")


def test_batches_hold_the_views() -> None:
    images = digits("test")
    assert isinstance(images, ArrayImages)
    ((batch,),) = batches_by_protocol(
        images, [get_protocol("digits")], batch_size=4, workers=0, indices=range(4), augmentation=FLIP
    )
    assert batch.pixels.shape == (4, 2, 1, 8, 8)
    assert torch.equal(batch.pixels[:, 1], batch.pixels[:, 0].flip(3))


def test_several_sizes_are_rounded_down() -> None:
    """256, 288 and 320 of a 256; of 235, 264.375 and 293.75 are 264 and 293."""
    for short, expected in ((256, [256, 288, 320]), (235, [235, 264, 293])):
        protocol = dataclasses.replace(get_protocol("torchvision"), resize=short)
        sizes = [picture.shape[0] for picture, _, _ in views._views(Image.new("RGB", (40, 40)), protocol, SIZES)]
        assert sizes[::2] == sizes[1::2] == expected
