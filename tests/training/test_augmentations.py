from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from densezoo import api
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.training.augmentations import (
    AUGMENTATIONS,
    Transforms,
    get_training_augmentation,
    pad_crop_flip,
    resized_crop_flip,
    shift,
)


def test_padding_is_zero_after_normalisation() -> None:
    """The authors pad the normalised image: zeros there are the mean colour."""
    ones = torch.ones(3, 32, 32)
    augment = pad_crop_flip(None).on_floats
    assert augment is not None
    torch.manual_seed(0)
    images = [augment(ones) for _ in range(50)]
    assert all(image.shape == (3, 32, 32) for image in images)
    assert {value for image in images for value in image.flatten().tolist()} == {0.0, 1.0}
    lost = {32 - int(image[0].amax(1).sum()) for image in images}  # rows that are padding, 0 to 4
    assert lost <= set(range(5))
    assert len(lost) > 2


def test_a_mirror_is_drawn_half_of_the_time() -> None:
    ramp = torch.arange(32.0).expand(1, 32, 32) + 1
    augment = pad_crop_flip(None).on_floats
    assert augment is not None
    torch.manual_seed(0)
    mirrored = sum(bool(image[0, 16, 10] > image[0, 16, 20]) for image in (augment(ramp) for _ in range(200)))
    assert 60 < mirrored < 140


def test_imagenet_crops(random_image: Callable[..., Image.Image]) -> None:
    augment = resized_crop_flip(224)
    assert augment.on_image is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert augment.on_image(random_image(300, 260)).size == (224, 224)
    with pytest.raises(ConfigError, match="'resized_crop_flip' needs a protocol with a crop"):
        resized_crop_flip(None)


def test_a_shift_is_by_one_pixel() -> None:
    augment = shift(None).on_floats
    assert augment is not None
    torch.manual_seed(0)
    lost = {8 - int(augment(torch.ones(1, 8, 8))[0].amax(1).sum()) for _ in range(50)}
    assert lost == {0, 1}


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no augmentation 'pad_crop'; did you mean 'pad_crop_flip'"):
        get_training_augmentation("pad_crop")


def test_another_one_is_a_function_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def darken(crop: int | None) -> Transforms:
        def halve(image: torch.Tensor) -> torch.Tensor:
            seen.append(crop)
            return image / 2

        return Transforms(on_floats=halve)

    monkeypatch.setitem(AUGMENTATIONS, "darken", darken)
    short = {"train.epochs": 1, "model.growth_rate": 4, "model.block_config": (1, 1, 1)}
    overrides = {**short, "train.augmentation": "darken"}
    assert api.train_config(api.DEMO[0], work_dir=tmp_path, workers=0, device="cpu", overrides=overrides).is_file()
    assert set(seen) == {None}
