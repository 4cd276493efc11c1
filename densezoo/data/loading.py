"""An `ImageSet` under a `Protocol`, in batches of uint8 pixels, decoded by worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet
from densezoo.data.preprocess import to_pixels
from densezoo.errors import DatasetError, DensezooError
from densezoo.types import Protocol


@dataclass(frozen=True)
class Batch:
    """indices (N,) into the image set, uint8 pixels (N, C, H, W), labels (N,)."""

    indices: Tensor
    pixels: Tensor
    labels: Tensor

    def pin_memory(self) -> Batch:
        """DataLoader's hook: the same batch where a GPU can fetch it."""
        return Batch(self.indices, self.pixels.pin_memory(), self.labels)


@dataclass(frozen=True)
class ImagePixels(Dataset[object]):
    """Item i: (index, pixels, label) of the i-th of ``indices``, or the DensezooError that it met.

    An error is a value here because DataLoader re-raises exceptions of its workers with their traceback as text.
    """

    images: ImageSet
    protocol: Protocol
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> tuple[int, Tensor, int] | DensezooError:
        index = self.indices[position]
        try:
            image = decode(self.images.read(index), self.protocol, self.images.where(index))
        except DensezooError as error:
            return error
        return index, to_pixels(image, self.protocol), self.images.labels[index]


def collate(items: list[tuple[int, Tensor, int] | DensezooError]) -> Batch | DensezooError:
    """One batch, or the first error among its items."""
    scored = []
    for item in items:
        if isinstance(item, DensezooError):
            return item
        scored.append(item)
    indices, pixels, labels = zip(*scored)
    shapes = {tuple(image.shape) for image in pixels}
    if len(shapes) > 1:
        return DatasetError(f"images of several sizes in one batch: {sorted(shapes)[:3]}; use a protocol that resizes")
    return Batch(torch.tensor(indices), torch.stack(pixels), torch.tensor(labels))


def batches(
    images: ImageSet, protocol: Protocol, *, batch_size: int, workers: int, indices: Sequence[int], pin: bool = False
) -> Iterator[Batch]:
    """The images at ``indices``, in that order, in batches of at most ``batch_size``.

    Raises:
        ImageError: an image can't be read or decoded; names its file.
        DatasetError: images of several sizes under a protocol that doesn't resize.
    """
    loader = DataLoader(
        ImagePixels(images, protocol, indices),
        batch_size=batch_size,
        num_workers=min(workers, len(indices)),
        collate_fn=collate,
        pin_memory=pin,
    )
    for batch in loader:
        if isinstance(batch, DensezooError):
            raise batch
        yield batch
