from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_imagenet import image, write

from densezoo.data.layouts.pixels import is_one, sources_of
from densezoo.errors import ImageError
from densezoo.protocols import get_protocol

TORCHVISION, DIGITS, MMPRETRAIN = (get_protocol(name) for name in ("torchvision", "digits", "mmpretrain"))
RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def pixels_of(images: object) -> list[np.ndarray]:
    return [np.asarray(source) for _, source in sources_of(images, TORCHVISION)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images", [RGB, torch.from_numpy(RGB).permute(2, 0, 1), Image.fromarray(RGB)], ids=["array", "tensor", "Pillow"]
)
def test_one_image_is_its_pixels(images: object) -> None:
    assert is_one(images)
    (found,) = pixels_of(images)
    assert np.array_equal(found, RGB)


@pytest.mark.parametrize(
    "images",
    [np.stack([RGB, RGB[::-1]]), torch.from_numpy(np.stack([RGB, RGB[::-1]])).permute(0, 3, 1, 2), [RGB, RGB[::-1]]],
    ids=["array", "tensor", "list"],
)
def test_several(images: object) -> None:
    assert not is_one(images)
    first, second = pixels_of(images)
    assert np.array_equal(first, RGB)
    assert np.array_equal(second, RGB[::-1])
    assert [name for name, _ in sources_of(images, TORCHVISION)] == ["0", "1"]  # type: ignore[arg-type]


@pytest.mark.parametrize("grey", [RGB[..., 0], RGB[..., :1], torch.from_numpy(RGB[..., 0].copy())[None]])
def test_one_channel(grey: object) -> None:
    (found,) = pixels_of(grey)
    assert np.array_equal(found, RGB[..., 0])


def test_pillow_s_images_are_turned_and_converted_as_the_protocol_says() -> None:
    turned = Image.fromarray(RGB)
    turned.getexif()[0x0112] = 6  # EXIF orientation: a quarter to the right
    ((_, as_it_is),), ((_, upright),) = sources_of(turned, TORCHVISION), sources_of(turned, MMPRETRAIN)
    assert np.array_equal(np.asarray(as_it_is), RGB)
    assert np.array_equal(np.asarray(upright), np.rot90(RGB, -1))
    ((_, grey),) = sources_of(Image.fromarray(RGB), DIGITS)
    assert np.asarray(grey).shape == (4, 5)


def test_paths_and_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", image(0))
    assert sources_of([path, str(path), b"encoded"], TORCHVISION) == [(str(path), path)] * 2 + [("2", b"encoded")]


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (RGB.astype(np.float32) / 255, r"float32, \(4, 5, 3\)"),
        (torch.rand(3, 4, 5), r"torch.float32, \(3, 4, 5\)"),
        (RGB.transpose(2, 0, 1), r"uint8, \(3, 4, 5\)"),  # planes are a tensor's
    ],
)
def test_what_could_mean_several_things_is_refused(wrong: object, found: str) -> None:
    with pytest.raises(ImageError, match=rf"image 0: expected uint8 pixels: .*; found {found}.*classifier.network"):
        pixels_of(wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "expected one image or several, found NoneType; expected uint8"),
        (3, "found int"),
        (RGB[:0], r"found uint8, \(0, 5, 3\)"),
        (
            RGB.astype(np.uint16),
            "16 bits are taken as a file or a Pillow image, under a protocol whose decoder is pil16",
        ),
    ],
)
def test_what_to_do_is_said(wrong: object, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        sources_of(wrong, TORCHVISION)  # type: ignore[arg-type]


def test_what_is_no_image() -> None:
    with pytest.raises(ImageError, match="image 0: is int; expected a path"):
        pixels_of([3])
