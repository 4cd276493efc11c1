from __future__ import annotations

import dataclasses
import pickle
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.random_erasing import RandomErasing
from torchvision.transforms import v2

from densezoo.data.images import ArrayImages
from densezoo.data.preprocess import Preprocess
from densezoo.errors import ConfigError, DensezooError, UnknownNameError
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import (
    AUGMENTATIONS,
    EIGENVALUES,
    EIGENVECTORS,
    Transforms,
    get_training_augmentation,
    lighting,
    training_transforms,
)
from densezoo.training.data import TrainingImages
from densezoo.training.policies import make_policy
from densezoo.types import Protocol, Recipe

PLAIN = Recipe(epochs=1, batch_size=1)


def transforms(augmentation: str, protocol: str = "torchvision", **fields: Any) -> Transforms:
    """Those of a recipe with the augmentation and further fields."""
    return training_transforms(dataclasses.replace(PLAIN, augmentation=augmentation, **fields), get_protocol(protocol))


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def test_padding_is_zero_after_normalisation() -> None:
    """The authors pad the normalised image: zeros there are the mean colour."""
    ones = torch.ones(3, 32, 32)
    augment = transforms("pad_crop_flip", "cifar10").on_floats
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
    augment = transforms("pad_crop_flip", "cifar10").on_floats
    assert augment is not None
    torch.manual_seed(0)
    mirrored = sum(bool(image[0, 16, 10] > image[0, 16, 20]) for image in (augment(ramp) for _ in range(200)))
    assert 60 < mirrored < 140


def test_imagenet_crops(random_image: Callable[..., Image.Image]) -> None:
    augment = transforms("resized_crop_flip")
    assert augment.on_image is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert augment.on_image(random_image(300, 260)).size == (224, 224)
    with pytest.raises(ConfigError, match="'resized_crop_flip' needs a side to resize to, and protocol 'cifar10'"):
        transforms("resized_crop_flip", "cifar10")


def test_a_random_area_is_not_resized_again() -> None:
    """What an augmentation cuts out is what the network gets: the protocol's resize would enlarge it, and cut again."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 260, 3), np.uint8)
    images = ArrayImages("noise", ["a"], [0], pixels[None])
    cut = Image.fromarray(pixels[:224, :224])
    item = TrainingImages(images, get_protocol("torchvision"), Transforms(on_image=lambda _: cut))[0, 0]
    assert not isinstance(item, DensezooError)
    seen, _ = item
    bare = dataclasses.replace(get_protocol("torchvision"), resize=None, interpolation=None, crop=None)
    assert torch.equal(seen, Preprocess(bare)(cut))


def test_the_authors_colours(random_image: Callable[..., Image.Image]) -> None:
    augment = transforms("resized_crop_colour_flip")
    assert augment.on_image is not None
    with pytest.raises(ConfigError, match="changes colours, and images under protocol 'digits' have one channel"):
        transforms("resized_crop_colour_flip", "digits", image_size=8)
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
    drawn = [lighting(blank, get_protocol("torchvision")) for _ in range(4000)]
    assert all(torch.equal(image, image[:, :1, :1].expand(3, 2, 2)) for image in drawn)
    colours = torch.stack([image[:, 0, 0] * torch.tensor([0.229, 0.224, 0.225]) for image in drawn])
    vectors, values = torch.tensor(EIGENVECTORS), 0.1 * torch.tensor(EIGENVALUES)
    assert torch.allclose(vectors.T @ vectors, torch.eye(3), atol=2e-3)
    assert torch.allclose(colours.std(0) ** 2, ((vectors * values) ** 2).sum(1), rtol=0.1)
    assert torch.allclose((colours @ vectors).std(0), values, rtol=0.1)


def test_lighting_is_in_the_units_of_the_protocol() -> None:
    """caffe: blue first, 0..255, another deviation; the colour is the same one."""
    torch.manual_seed(0)
    of_torchvision = lighting(torch.zeros(3, 1, 1), get_protocol("torchvision")).flatten()
    torch.manual_seed(0)
    caffe = get_protocol("caffe")
    of_caffe = lighting(torch.zeros(3, 1, 1), caffe).flatten()
    colour = of_torchvision * torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose((of_caffe * torch.tensor(caffe.std) / 255).flip(0), colour)


def test_a_shift_is_by_one_pixel() -> None:
    augment = transforms("shift", "digits").on_floats
    assert augment is not None
    torch.manual_seed(0)
    lost = {8 - int(augment(torch.ones(1, 8, 8))[0].amax(1).sum()) for _ in range(50)}
    assert lost == {0, 1}


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no augmentation 'pad_crop'; did you mean 'pad_crop_flip'"):
        get_training_augmentation("pad_crop")


@pytest.mark.parametrize(
    ("name", "on_image"),
    [
        ("resized_crop_flip", [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]),
        (
            "resized_crop_colour_flip",
            [v2.RandomResizedCrop(224, antialias=True), v2.ColorJitter(0.4, 0.4, 0.4), v2.RandomHorizontalFlip()],
        ),
    ],
)
def test_it_draws_what_it_always_drew(
    name: str, on_image: list[v2.Transform], random_image: Callable[..., Image.Image]
) -> None:
    """A seed means the same pixels as when the recipe had no other fields."""
    augment, image = transforms(name).on_image, random_image(300, 260)
    assert augment is not None
    for number in range(5):
        seed(number)
        ours = np.asarray(augment(image))
        seed(number)
        assert np.array_equal(ours, np.asarray(v2.Compose(on_image)(image)))


def test_the_area_and_the_side_are_the_recipe_s(random_image: Callable[..., Image.Image]) -> None:
    whole = transforms("resized_crop_flip", "cifar10", image_size=40, crop_scale=(1.0, 1.0)).on_image
    part = transforms("resized_crop_flip", "cifar10", image_size=40, crop_scale=(0.1, 0.1)).on_image
    assert whole is not None
    assert part is not None
    image = Image.fromarray(np.tile(np.linspace(0, 255, 100, dtype=np.uint8)[:, None, None], (1, 100, 3)))
    seed(0)
    spans = {name: float(np.ptp(np.asarray(change(image)))) for name, change in (("whole", whole), ("part", part))}
    assert whole(image).size == (40, 40)
    assert spans["whole"] > 245
    assert spans["part"] < 130  # a tenth of the area, at most 0.37 of the height


def test_a_policy_comes_after_the_crop_and_erasing_last(random_image: Callable[..., Image.Image]) -> None:
    protocol, image = get_protocol("timm"), random_image(300, 260)
    ours = transforms("resized_crop_flip", "timm", policy="rand-m9-p1.0", erasing=1.0, image_size=64)
    assert ours.on_image is not None
    assert ours.on_floats is not None
    seed(0)
    changed = ours.on_image(image)
    seed(0)
    cut = v2.Compose([v2.RandomResizedCrop(64, antialias=True), v2.RandomHorizontalFlip()])(image)
    assert np.array_equal(np.asarray(changed), np.asarray(make_policy("rand-m9-p1.0", 64, protocol)(cut)))
    assert not np.array_equal(np.asarray(changed), np.asarray(cut))
    seed(0)
    erased = ours.on_floats(torch.zeros(3, 64, 64))
    seed(0)
    erase = RandomErasing(1.0, mode="pixel", device="cpu")  # type: ignore[no-untyped-call]
    assert torch.equal(erased, erase(torch.zeros(3, 64, 64)))
    assert erased.std() > 0


def test_erasing_comes_after_the_authors_crop() -> None:
    """As many images as are asked for; noise in the floats of the network, after padding."""
    augment = transforms("pad_crop_flip", "digits", erasing=0.25).on_floats
    assert augment is not None
    seed(0)
    erased = sum(bool(((image := augment(torch.ones(1, 8, 8))) != 0).logical_and(image != 1).any()) for _ in range(200))
    assert 30 <= erased <= 70


def test_a_policy_of_small_images_is_of_the_whole_image() -> None:
    """Protocols without a resize; where one has a resize, an augmentation has to cut out first."""
    augment = transforms("pad_crop_flip", "cifar10", policy="ta_wide")
    assert augment.on_image is not None
    assert augment.on_image(Image.new("RGB", (32, 32))).size == (32, 32)
    with pytest.raises(ConfigError, match="'none' leaves that to protocol 'torchvision'; choose resized_crop_flip"):
        transforms("none", policy="ta_wide")


def test_an_image_size_needs_a_cut() -> None:
    with pytest.raises(ConfigError, match="train.image_size 40 is for augmentations that cut out an area"):
        transforms("pad_crop_flip", "cifar10", image_size=40)


@pytest.mark.parametrize("name", ["pad_crop_flip", "resized_crop_colour_flip"])
def test_a_loader_process_gets_them(name: str) -> None:
    changes = transforms(name, "torchvision" if "resized" in name else "cifar10", policy="rand-m9", erasing=0.5)
    image = Image.new("RGB", (32, 32), (200, 10, 10))
    drawn = []
    for each in (changes, pickle.loads(pickle.dumps(changes))):
        assert each.on_image is not None
        seed(3)
        drawn.append(np.asarray(each.on_image(image)))
    assert np.array_equal(drawn[0], drawn[1])


def test_another_one_is_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def darken(recipe: Recipe, protocol: Protocol) -> Transforms:
        return Transforms(on_floats=lambda image: image / len(protocol.mean))

    monkeypatch.setitem(AUGMENTATIONS, "darken", darken)
    augment = transforms("darken", "cifar10").on_floats
    assert augment is not None
    assert augment(torch.ones(3, 1, 1)).flatten().tolist() == pytest.approx([1 / 3] * 3)
