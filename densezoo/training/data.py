"""Training images: decoded, augmented, normalised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet
from densezoo.data.preprocess import normalise, to_pixels
from densezoo.data.resampling import as_image
from densezoo.errors import ConfigError
from densezoo.types import Protocol


@dataclass(frozen=True)
class Augmentation:
    """What is done to a training image, before the protocol's own resize and crop and after its normalisation."""

    on_image: Callable[[Image.Image], Image.Image] | None = None
    on_floats: Callable[[Tensor], Tensor] | None = None


def augmentation(name: str, crop: int | None) -> Augmentation:
    """The augmentation of that name (`densezoo.types.Recipe`).

    Padding comes after the normalisation, as in the authors' code: its zeros are the mean colour, not black.

    Args:
        crop: the protocol's crop in pixels, which only ``resized_crop_flip`` needs.

    Raises:
        ConfigError: it needs a crop and the protocol has none.
    """
    if name == "none":
        return Augmentation()
    if name == "shift":
        return Augmentation(on_floats=partial(_pad_and_crop, padding=1))
    if name == "pad_crop_flip":
        return Augmentation(on_floats=v2.Compose([partial(_pad_and_crop, padding=4), v2.RandomHorizontalFlip()]))
    if crop is None:
        raise ConfigError(f"train.augmentation {name!r} needs a protocol with a crop")
    return Augmentation(on_image=v2.Compose([v2.RandomResizedCrop(crop, antialias=True), v2.RandomHorizontalFlip()]))


def _pad_and_crop(image: Tensor, padding: int) -> Tensor:
    """A random window of the image's own size from the image with zeros around it."""
    cropped: Tensor = v2.RandomCrop(list(image.shape[-2:]), padding=padding)(image)
    return cropped


@dataclass(frozen=True)
class TrainingImages(Dataset[tuple[Tensor, int]]):
    """Item i: (float32 image (C, H, W), label)."""

    images: ImageSet
    protocol: Protocol
    augment: Augmentation

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = decode(self.images.read(index), self.protocol, self.images.where(index))
        if self.augment.on_image is not None:
            image = self.augment.on_image(as_image(image))
        floats = normalise(to_pixels(image, self.protocol), self.protocol)
        if self.augment.on_floats is not None:
            floats = self.augment.on_floats(floats)
        return floats, self.images.labels[index]
