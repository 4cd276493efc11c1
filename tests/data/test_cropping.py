"""The faster resize is used for nothing that it resizes otherwise than Pillow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from unusual_images import SIZES, noise, photograph

from densezoo.backends.native import resample
from densezoo.data.cropping import EqualCropper
from densezoo.data.equality import AGAIN, ENOUGH
from densezoo.data.preprocess import to_pixels
from densezoo.errors import BackendError, DatasetError
from densezoo.protocols import get_protocol, same_kind
from densezoo.types import Protocol


@pytest.fixture(scope="module")
def resized_crop() -> Callable[..., Tensor | None]:
    try:
        resample.library()
    except BackendError as error:
        pytest.skip(str(error))
    return resample.resized_crop


def cropped(cropper: EqualCropper, image: Any, protocol: Protocol, pixels: Tensor | None = None) -> tuple[Tensor, bool]:
    """(the crop, whether the protocol's own library made it); ``pixels`` are that library's, if it was asked before."""
    own_too = []

    def own() -> Tensor:
        own_too.append(True)
        return to_pixels(image, protocol) if pixels is None else pixels.clone()

    return cropper.crop(image, protocol, "x", own), bool(own_too)


@pytest.mark.parametrize("name", sorted(protocol.name for protocol in same_kind(get_protocol("timm"))))
def test_every_protocol_s_crops_are_its_own_library_s(name: str, resized_crop: Callable[..., Tensor | None]) -> None:
    protocol, cropper = get_protocol(name), EqualCropper(resized_crop)
    pictures = [photograph(width, height, seed) for seed, (width, height) in enumerate(SIZES[:5] + SIZES[9:])]
    for image in pictures:
        pixels = to_pixels(image, protocol)
        for _ in range(ENOUGH // 2):
            cropped(cropper, image, protocol, pixels)
    faster = 0
    for seed, (width, height) in enumerate([*SIZES, (300, 601), (601, 300)]):
        picture = photograph(width, height, 50 + seed)
        for decoded in (picture, np.asarray(picture)):
            expected = to_pixels(decoded, protocol)
            crop, by_own = cropped(cropper, decoded, protocol, expected)
            assert crop.dtype == expected.dtype
            assert torch.equal(crop, expected), (width, height)
            faster += not by_own
    assert (faster > 0) == (protocol.resize_backend == "pil" and protocol.long_side != "same")
    assert cropper.seen.different == set()


def test_what_the_library_can_t_do_is_left_to_pillow() -> None:
    cropper = EqualCropper(lambda *_, **__: None)
    for _ in range(2 * ENOUGH):
        assert cropped(cropper, noise(60, 50), get_protocol("torchvision"))[1]
    assert cropper.seen.kinds == (0, 0)


def test_another_rounding_is_found_out(resized_crop: Callable[..., Tensor | None]) -> None:
    def wrong(*arguments: Any, **options: Any) -> Tensor | None:
        planes = resized_crop(*arguments, **options)
        return None if planes is None else planes ^ torch.eye(224, dtype=torch.uint8)

    protocol, cropper = get_protocol("torchvision"), EqualCropper(wrong)
    for seed in range(ENOUGH):
        crop, by_own = cropped(cropper, noise(60, 50, seed=seed), protocol)
        assert by_own
        assert torch.equal(crop, to_pixels(noise(60, 50, seed=seed), protocol))
    assert cropper.seen.kinds == (0, 1)


def test_a_difference_that_comes_late_ends_the_run(resized_crop: Callable[..., Tensor | None]) -> None:
    calls: list[int] = []

    def later(*arguments: Any, **options: Any) -> Tensor | None:
        calls.append(1)
        planes = resized_crop(*arguments, **options)
        return planes if planes is None or len(calls) <= ENOUGH else planes ^ 1

    protocol, cropper = get_protocol("torchvision"), EqualCropper(later)
    with pytest.raises(DatasetError, match=r"x: the native library's resize gives other pixels"):
        [cropped(cropper, noise(60, 50, seed=seed % 5), protocol) for seed in range(ENOUGH + AGAIN)]


def test_a_plain_picture_proves_nothing(resized_crop: Callable[..., Tensor | None]) -> None:
    cropper = EqualCropper(resized_crop)
    for _ in range(2 * ENOUGH):
        assert cropped(cropper, Image.new("RGB", (60, 50), (9, 9, 9)), get_protocol("torchvision"))[1]


def test_images_that_stand_or_grow_are_kinds_of_their_own(resized_crop: Callable[..., Tensor | None]) -> None:
    protocol, cropper = get_protocol("torchvision"), EqualCropper(resized_crop)
    for seed in range(ENOUGH):
        assert cropped(cropper, photograph(320, 300, seed), protocol)[1]
    assert not cropped(cropper, photograph(330, 300, 99), protocol)[1]
    for other in (photograph(300, 330), photograph(130, 120)):
        assert cropped(cropper, other, protocol)[1], "nothing was compared that tells of these"


def test_what_pillow_begins_with_the_columns_of_is_left_to_it() -> None:
    """From twice as high as wide on, and where sides keep no proportions; what was trusted says nothing of these."""
    made: list[tuple[int, ...]] = []

    def resized_crop(pixels: np.ndarray, size: tuple[int, int], *_: object, **__: object) -> Tensor:
        made.append(size)
        return torch.zeros(3, 224, 224, dtype=torch.uint8)

    protocol, cropper = get_protocol("timm"), EqualCropper(resized_crop)
    for height, width in ((200, 100), (201, 100), (199, 100), (100, 200)):
        cropped(cropper, Image.new("RGB", (width, height)), protocol)
    cropped(cropper, Image.new("RGB", (100, 120)), dataclasses.replace(protocol, long_side="same"))
    assert made == [(256, 509), (512, 256)]
