from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo import api
from densezoo.data.images import ArrayImages
from densezoo.data.preprocess import Preprocess
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import (
    AUGMENTATIONS,
    EIGENVALUES,
    EIGENVECTORS,
    Transforms,
    get_training_augmentation,
    lighting,
    pad_crop_flip,
    resized_crop_colour_flip,
    resized_crop_flip,
    shift,
)
from densezoo.training.data import TrainingImages


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


def test_a_random_area_is_not_resized_again() -> None:
    """What an augmentation cuts out is what the network gets: the protocol's resize would enlarge it, and cut again."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 260, 3), np.uint8)
    images = ArrayImages("noise", ["a"], [0], pixels[None])
    cut = Image.fromarray(pixels[:224, :224])
    seen, _ = TrainingImages(images, get_protocol("torchvision"), Transforms(on_image=lambda _: cut))[0]
    bare = dataclasses.replace(get_protocol("torchvision"), resize=None, interpolation=None, crop=None)
    assert torch.equal(seen, Preprocess(bare)(cut))


def test_the_authors_colours(random_image: Callable[..., Image.Image]) -> None:
    augment = resized_crop_colour_flip(224)
    assert augment.on_image is not None
    with pytest.raises(ConfigError, match="'resized_crop_colour_flip' needs a protocol with a crop"):
        resized_crop_colour_flip(None)
    grey = Image.new("RGB", (300, 260), (128, 128, 128))
    torch.manual_seed(0)
    drawn = [augment.on_image(grey) for _ in range(300)]
    assert {image.size for image in drawn} == {(224, 224)}
    levels = [float(np.asarray(image)[0, 0, 0]) / 128 for image in drawn]
    assert min(levels) == pytest.approx(0.6, abs=0.03)  # brightness 0.4; contrast and saturation leave an even grey
    assert max(levels) == pytest.approx(1.4, abs=0.03)


def test_lighting_is_along_the_principal_axes_of_imagenet_s_colours() -> None:
    """One colour for all pixels; in 0..1 its covariance is V diag(0.1 x eigenvalue)^2 V'."""
    torch.manual_seed(0)
    blank = torch.zeros(3, 2, 2)
    drawn = [lighting(blank) for _ in range(4000)]
    assert all(torch.equal(image, image[:, :1, :1].expand(3, 2, 2)) for image in drawn)
    colours = torch.stack([image[:, 0, 0] * torch.tensor([0.229, 0.224, 0.225]) for image in drawn])
    vectors, values = torch.tensor(EIGENVECTORS), 0.1 * torch.tensor(EIGENVALUES)
    assert torch.allclose(vectors.T @ vectors, torch.eye(3), atol=2e-3)
    assert torch.allclose(colours.std(0) ** 2, ((vectors * values) ** 2).sum(1), rtol=0.1)
    assert torch.allclose((colours @ vectors).std(0), values, rtol=0.1)


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
