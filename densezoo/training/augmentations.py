"""Augmentations of training images, by name. A new one is one function and one line of the table here.

`training_transforms` joins the one that a recipe names with its policy and its random erasing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.training.policies import make_policy
from densezoo.types import Protocol, Recipe

if TYPE_CHECKING:  # a name is checked before torch is imported
    from PIL import Image
    from torch import Tensor


T = TypeVar("T")


@dataclass(frozen=True)
class Transforms:
    """The random changes of one augmentation.

    Args:
        on_image: of the decoded image, in place of the protocol's own resize and crop; None: those.
        on_floats: of the normalised image, float32 (C, H, W); None: no change.
    """

    on_image: Callable[[Image.Image], Image.Image] | None = None
    on_floats: Callable[[Tensor], Tensor] | None = None


#: (recipe, protocol) -> the random changes of one augmentation.
MakesTransforms = Callable[[Recipe, Protocol], Transforms]


def no_change(recipe: Recipe, protocol: Protocol) -> Transforms:
    """No change.

    Args:
        recipe: how a config trains; not used.
        protocol: how its images are prepared; not used.
    """
    return Transforms()


def shift(recipe: Recipe, protocol: Protocol) -> Transforms:
    """1-pixel zero padding, random crop.

    Args:
        recipe: how a config trains; not used.
        protocol: how its images are prepared; not used.
    """
    return Transforms(on_floats=partial(_pad_and_crop, padding=1))


def pad_crop_flip(recipe: Recipe, protocol: Protocol) -> Transforms:
    """4-pixel zero padding, random crop, mirror: the paper's "+".

    Padding comes after the normalisation, as in the authors' code: its zeros are the mean colour, not black.

    Args:
        recipe: how a config trains; not used.
        protocol: how its images are prepared; not used.
    """
    from torchvision.transforms import v2

    return Transforms(on_floats=v2.Compose([partial(_pad_and_crop, padding=4), v2.RandomHorizontalFlip()]))


def resized_crop_flip(recipe: Recipe, protocol: Protocol) -> Transforms:
    """Random area and aspect ratio, mirror.

    Args:
        recipe: gives crop_scale, and image_size: the side in pixels that the random area is resized to.
        protocol: gives its crop where image_size is None.

    Raises:
        ConfigError: there is neither an image_size nor a crop.
    """
    from torchvision.transforms import v2

    return Transforms(on_image=v2.Compose([_random_area(recipe, protocol), v2.RandomHorizontalFlip()]))


def resized_crop_colour_flip(recipe: Recipe, protocol: Protocol) -> Transforms:
    """What the authors train ImageNet with: a random area, colour jitter 0.4, lighting 0.1, mirror.

    Theirs (https://github.com/liuzhuang13/DenseNet, datasets/imagenet.lua) scales by bicubic, here bilinear, and
    jitters floats, here bytes.

    Args:
        recipe: gives crop_scale, and image_size: the side in pixels that the random area is resized to.
        protocol: gives its crop where image_size is None.

    Raises:
        ConfigError: there is neither an image_size nor a crop; the images have one channel.
    """
    from torchvision.transforms import v2

    if len(protocol.channel_order) != 3:
        raise ConfigError(
            f"train.augmentation {recipe.augmentation!r} changes colours, and images under protocol {protocol.name!r} "
            "have one channel; choose resized_crop_flip"
        )
    jitter = v2.ColorJitter(brightness=JITTER, contrast=JITTER, saturation=JITTER)
    changes = [_random_area(recipe, protocol), jitter, v2.RandomHorizontalFlip()]
    return Transforms(on_image=v2.Compose(changes), on_floats=partial(lighting, protocol=protocol))


def _random_area(recipe: Recipe, protocol: Protocol) -> Callable[[Image.Image], Image.Image]:
    """A random area of an image, resized to a square."""
    from torchvision.transforms import v2

    side = recipe.image_size or protocol.crop
    if side is None:
        raise ConfigError(
            f"train.augmentation {recipe.augmentation!r} needs a side to resize to, and protocol {protocol.name!r} has "
            "no crop; set train.image_size, or choose another augmentation"
        )
    area: Callable[[Image.Image], Image.Image] = v2.RandomResizedCrop(side, scale=recipe.crop_scale, antialias=True)
    return area


JITTER, LIGHTING = 0.4, 0.1  # shares of the colour; standard deviation of the noise along each principal axis
#: Of the colours (red, green, blue in 0..1) of ImageNet's training images: variances, and axes in columns.
EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


def lighting(image: Tensor, protocol: Protocol) -> Tensor:
    """Add to all pixels one random colour along the principal axes of ImageNet's (AlexNet's noise).

    Args:
        image: float32 (3, H, W), normalised.
        protocol: that normalised it.
    """
    import torch

    scales = torch.tensor(EIGENVALUES) * torch.randn(3) * LIGHTING
    colour = torch.tensor(EIGENVECTORS) @ scales
    if protocol.channel_order == "BGR":
        colour = colour.flip(0)
    colour = colour * protocol.value_range / torch.tensor(protocol.std)
    return image + colour.view(3, 1, 1)


def _pad_and_crop(image: Tensor, padding: int) -> Tensor:
    """A random crop of the image's size from the image padded with zeros."""
    from torchvision.transforms import v2

    cropped: Tensor = v2.RandomCrop(list(image.shape[-2:]), padding=padding)(image)
    return cropped


#: {name, as in a config's ``train.augmentation``: (recipe, protocol) -> its transforms}
AUGMENTATIONS: dict[str, MakesTransforms] = {
    "none": no_change,
    "shift": shift,
    "pad_crop_flip": pad_crop_flip,
    "resized_crop_flip": resized_crop_flip,
    "resized_crop_colour_flip": resized_crop_colour_flip,
}


def get_training_augmentation(name: str) -> MakesTransforms:
    """The augmentation of that name: (recipe, protocol) -> its transforms.

    Args:
        name: such as "pad_crop_flip", a key of AUGMENTATIONS.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in AUGMENTATIONS:
        raise UnknownNameError("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]


def training_transforms(recipe: Recipe, protocol: Protocol) -> Transforms:
    """All random changes of a training image: the augmentation's, then the policy's, and of the floats the erasing's.

    They draw from torch's, Python's and numpy's global random states.

    Args:
        recipe: gives augmentation, policy, erasing, crop_scale and image_size.
        protocol: how the images are prepared.

    Raises:
        UnknownNameError: there is no such augmentation; names the nearest.
        ConfigError: augmentation, policy or image_size don't fit the protocol.
    """
    chosen = get_training_augmentation(recipe.augmentation)(recipe, protocol)
    if chosen.on_image is None and recipe.image_size is not None:
        raise ConfigError(
            f"train.image_size {recipe.image_size} is for augmentations that cut out an area of the image, and "
            f"{recipe.augmentation!r} does not; leave it out, or choose resized_crop_flip"
        )
    on_image, on_floats = chosen.on_image, chosen.on_floats
    if recipe.policy is not None:
        if on_image is None and protocol.resize is not None:
            raise ConfigError(
                f"train.policy {recipe.policy!r} is for images as they are cut out, and {recipe.augmentation!r} leaves "
                f"that to protocol {protocol.name!r}; choose resized_crop_flip"
            )
        on_image = _in_turn(on_image, make_policy(recipe.policy, recipe.image_size or protocol.crop, protocol))
    if recipe.erasing:
        from timm.data.random_erasing import RandomErasing

        erase = RandomErasing(recipe.erasing, mode="pixel", device="cpu")  # type: ignore[no-untyped-call]
        on_floats = _in_turn(on_floats, erase)
    return Transforms(on_image, on_floats)


def _in_turn(first: Callable[[T], T] | None, then: Callable[[T], T]) -> Callable[[T], T]:
    """One change after another."""
    return then if first is None else partial(_both, first, then)


def _both(first: Callable[[T], T], then: Callable[[T], T], image: T) -> T:
    return then(first(image))  # a function of the module, because loader processes get it pickled
