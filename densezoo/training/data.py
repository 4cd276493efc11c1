"""Training images: decoded, augmented, normalised."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor
from torch.utils.data import Dataset

from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet
from densezoo.data.preprocess import normalise, to_pixels
from densezoo.data.resampling import as_image
from densezoo.training.augmentations import Transforms
from densezoo.types import Protocol


@dataclass(frozen=True)
class TrainingImages(Dataset[tuple[Tensor, int]]):
    """Item i: (float32 image (C, H, W), label).

    Args:
        images: encoded images and their labels.
        protocol: decodes and normalises each; resizes and crops those that no transform has cut out.
        transforms: the augmentation's random changes.
    """

    images: ImageSet
    protocol: Protocol
    transforms: Transforms

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = decode(self.images.read(index), self.protocol, self.images.location_of(index))
        rest = self.protocol
        if self.transforms.on_image is not None:
            image = self.transforms.on_image(as_image(image))
            rest = replace(rest, resize=None, interpolation=None, crop=None)
        floats = normalise(to_pixels(image, rest), rest)
        if self.transforms.on_floats is not None:
            floats = self.transforms.on_floats(floats)
        return floats, self.images.labels[index]
