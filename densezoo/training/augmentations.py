"""Augmentations of training images, by name. A new one is one function and one line of the table here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols.imagenet import STD

if TYPE_CHECKING:  # a name is checked before torch is imported
    from PIL import Image
    from torch import Tensor


@dataclass(frozen=True)
class Transforms:
    """The random changes of one augmentation.

    Args:
        on_image: of the decoded image, in place of the protocol's own resize and crop; None: those.
        on_floats: of the normalised image, float32 (C, H, W); None: no change.
    """

    on_image: Callable[[Image.Image], Image.Image] | None = None
    on_floats: Callable[[Tensor], Tensor] | None = None


def no_change(crop: int | None) -> Transforms:
    """No change.

    Args:
        crop: the protocol's crop in pixels, or None if it takes the whole image; not used.
    """
    return Transforms()


def shift(crop: int | None) -> Transforms:
    """1-pixel zero padding, random crop.

    Args:
        crop: as for `no_change`; not used.
    """
    return Transforms(on_floats=partial(_pad_and_crop, padding=1))


def pad_crop_flip(crop: int | None) -> Transforms:
    """4-pixel zero padding, random crop, mirror: the paper's "+".

    Padding comes after the normalisation, as in the authors' code: its zeros are the mean colour, not black.

    Args:
        crop: as for `no_change`; not used.
    """
    from torchvision.transforms import v2

    return Transforms(on_floats=v2.Compose([partial(_pad_and_crop, padding=4), v2.RandomHorizontalFlip()]))


def resized_crop_flip(crop: int | None) -> Transforms:
    """Random area and aspect ratio, mirror.

    Args:
        crop: the protocol's crop in pixels, which the random area is resized to.

    Raises:
        ConfigError: the protocol has no crop.
    """
    from torchvision.transforms import v2

    if crop is None:
        raise ConfigError("train.augmentation 'resized_crop_flip' needs a protocol with a crop; choose another one")
    return Transforms(on_image=v2.Compose([v2.RandomResizedCrop(crop, antialias=True), v2.RandomHorizontalFlip()]))


def resized_crop_colour_flip(crop: int | None) -> Transforms:
    """What the authors train ImageNet with: a random area, colour jitter 0.4, lighting 0.1, mirror.

    Theirs (https://github.com/liuzhuang13/DenseNet, datasets/imagenet.lua) scales by bicubic, here bilinear, and
    jitters floats, here bytes.

    Args:
        crop: as for `resized_crop_flip`.

    Raises:
        ConfigError: the protocol has no crop.
    """
    from torchvision.transforms import v2

    if crop is None:
        raise ConfigError("train.augmentation 'resized_crop_colour_flip' needs a protocol with a crop")
    jitter = v2.ColorJitter(brightness=JITTER, contrast=JITTER, saturation=JITTER)
    cropped = v2.RandomResizedCrop(crop, antialias=True)
    return Transforms(on_image=v2.Compose([cropped, jitter, v2.RandomHorizontalFlip()]), on_floats=lighting)


JITTER, LIGHTING = 0.4, 0.1  # shares of the colour; standard deviation of the noise along each principal axis
#: Of the colours (red, green, blue in 0..1) of ImageNet's training images: variances, and axes in columns.
EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


def lighting(image: Tensor) -> Tensor:
    """Add to all pixels one random colour along the principal axes of ImageNet's (AlexNet's noise).

    Args:
        image: float32 (3, H, W), red, green and blue, less the mean and divided by ImageNet's deviation.
    """
    import torch

    scales = torch.tensor(EIGENVALUES) * torch.randn(3) * LIGHTING
    colour = torch.tensor(EIGENVECTORS) @ scales / torch.tensor(STD)
    return image + colour.view(3, 1, 1)


def _pad_and_crop(image: Tensor, padding: int) -> Tensor:
    """A random crop of the image's size from the image padded with zeros."""
    from torchvision.transforms import v2

    cropped: Tensor = v2.RandomCrop(list(image.shape[-2:]), padding=padding)(image)
    return cropped


#: {name, as in a config's ``train.augmentation``: crop of the protocol -> its transforms}
AUGMENTATIONS: dict[str, Callable[[int | None], Transforms]] = {
    "none": no_change,
    "shift": shift,
    "pad_crop_flip": pad_crop_flip,
    "resized_crop_flip": resized_crop_flip,
    "resized_crop_colour_flip": resized_crop_colour_flip,
}


def get_training_augmentation(name: str) -> Callable[[int | None], Transforms]:
    """The augmentation of that name: crop of the protocol in pixels, or None -> its transforms.

    Args:
        name: as in `densezoo.types.Recipe`.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in AUGMENTATIONS:
        raise UnknownNameError("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]
