"""Each protocol's pixels against the library that publishes it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from timm.data.transforms_factory import create_transform

from densezoo.data.decoding import decode
from densezoo.data.preprocess import Preprocess, normalise, resized, to_pixels
from densezoo.errors import ConfigError, ImageError, UnknownNameError
from densezoo.protocols import PROTOCOLS, get_protocol

SIZES = [(500, 375), (375, 500), (333, 500), (256, 256), (57, 56), (1, 40), (1023, 301), (257, 259), (300, 303)]


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def theirs(name: str) -> Callable[[Image.Image], torch.Tensor]:
    """The publisher's own transform."""
    if name == "torchvision":
        preset: Callable[[Image.Image], torch.Tensor]
        preset = torchvision.models.DenseNet121_Weights.IMAGENET1K_V1.transforms()
        return preset
    size, crop_pct = (224, 0.875) if name == "timm" else (288, 0.95)
    transform: Callable[[Image.Image], torch.Tensor]
    transform = create_transform((3, size, size), interpolation="bicubic", crop_pct=crop_pct)
    return transform


@pytest.mark.parametrize("name", ["torchvision", "timm", "timm-288"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_same_floats_as_the_publisher(
    name: str, size: tuple[int, int], random_image: Callable[..., Image.Image]
) -> None:
    protocol, image = get_protocol(name), random_image(*size)
    assert repr(Preprocess(protocol)) == f"<Preprocess {name}>"
    ours = normalise(to_pixels(decode(encoded(image), protocol, "x.png"), protocol), protocol)
    assert torch.equal(ours, theirs(name)(image))


def test_an_image_with_one_side_of_the_crop_is_resized_all_the_same() -> None:
    """An image of 224 x 224 alone is taken as it is, where a protocol does so."""
    protocol = get_protocol("tf2cv")
    shapes = [
        resized(np.zeros(size, np.uint8), protocol).shape for size in ((224, 224, 3), (300, 224, 3), (224, 300, 3))
    ]
    assert shapes == [(224, 224, 3), (342, 256, 3), (256, 342, 3)]


def test_floats_are_in_the_protocol_s_range_already() -> None:
    protocol, floats = get_protocol("torch7"), torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0))
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (protocol.mean, protocol.std))
    assert torch.equal(normalise(floats.clone(), protocol), (floats - mean) / deviation)


def test_cifar_protocols_by_hand() -> None:
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 1, 3).expand(3, 1, 3)
    lua = normalise(pixels, get_protocol("cifar10"))
    assert lua[0, 0].tolist() == pytest.approx([-125.3 / 63.0, (128 - 125.3) / 63.0, (255 - 125.3) / 63.0], abs=1e-6)
    assert lua[2, 0, 2].item() == pytest.approx((255 - 113.9) / 66.7, abs=1e-6)
    dice = normalise(pixels, get_protocol("cifar-dice"))
    assert dice[1, 0, 1].item() == pytest.approx((128 / 255 - 0.4822) / 0.1994, abs=1e-6)
    for name in ("svhn", "none"):
        assert normalise(pixels, get_protocol(name))[0, 0].tolist() == pytest.approx([0, 128 / 255, 1])


def test_a_batch_is_normalised_as_its_images_are() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 5), dtype=torch.uint8)
    protocol = get_protocol("torchvision")
    assert torch.equal(normalise(pixels, protocol), torch.stack([normalise(p, protocol) for p in pixels]))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_says_of_which_type_its_pixels_are(name: str) -> None:
    """Backends that convert a network give it an input of that type; OpenVINO would make whole numbers of floats."""
    protocol = get_protocol(name)
    side = protocol.image_size or 300
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    pixels = to_pixels(image, protocol)
    assert pixels.dtype == (torch.float32 if protocol.float_pixels else torch.uint8)


def test_arrays_need_no_decoding() -> None:
    array = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    pixels = to_pixels(decode(array, get_protocol("digits"), "digit"), get_protocol("digits"))
    assert pixels.shape == (1, 8, 8)
    assert np.array_equal(pixels[0].numpy(), array)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "cifar-dice", "svhn", "none"])
def test_a_photograph_is_refused_where_small_images_are_meant(name: str) -> None:
    preprocess = Preprocess(get_protocol(name))
    assert preprocess(Image.new("RGB", (32, 32))).shape == (3, 32, 32)
    with pytest.raises(ImageError, match=f"this Image: has 400 x 300 pixels; protocol {name} takes images of 32 x 32"):
        preprocess(Image.new("RGB", (400, 300)))
    with pytest.raises(ImageError, match="this bytes: has 32 x 33 pixels"):
        preprocess(encoded(Image.new("RGB", (32, 33))))


def test_what_neither_resizes_nor_crops_says_which_size_it_is_for() -> None:
    for protocol in PROTOCOLS.values():
        assert (protocol.resize is None) == (protocol.image_size is not None), protocol.name
    with pytest.raises(ConfigError, match="what it resizes need not have a size"):
        dataclasses.replace(get_protocol("timm"), image_size=32)


def test_names() -> None:
    assert all(name == protocol.name and protocol.source for name, protocol in PROTOCOLS.items())
    with pytest.raises(UnknownNameError, match="there is no protocol 'tim'; did you mean 'timm'"):
        get_protocol("tim")
