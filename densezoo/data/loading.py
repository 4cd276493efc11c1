"""An `ImageSet` under one `Protocol` or several, in batches of pixels, decoded by worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from densezoo.data.cache import PixelCache
from densezoo.data.decoding import Decoded, decode
from densezoo.data.images import ImageSet
from densezoo.data.preprocess import to_pixels
from densezoo.data.views import Augmentation, to_views
from densezoo.errors import DatasetError, DensezooError
from densezoo.types import Protocol

NO_LABEL = -1  # fills up the shorter of several sets of labels

#: (index, the pixels under each protocol, the labels that are right)
Item: TypeAlias = "tuple[int, list[Tensor], tuple[int, ...]]"


@dataclass(frozen=True)
class Batch:
    """A few images under one protocol.

    Args:
        indices: (N,) into the image set.
        pixels: (N, C, H, W), uint8, or float32 under a protocol that resizes in floats; (N, V, C, H, W) with V views
            of each image.
        labels: (N,); or (N, K) where an image may have several right answers, filled up with NO_LABEL.
    """

    indices: Tensor
    pixels: Tensor
    labels: Tensor

    def pin_memory(self) -> Batch:
        """DataLoader's hook: the same batch where a GPU can fetch it."""
        return Batch(self.indices, self.pixels.pin_memory(), self.labels)


@dataclass(frozen=True)
class ImagePixels(Dataset[object]):
    """Item i: the i-th of ``indices`` under each protocol, or the DensezooError that it met.

    An error is a value here because DataLoader re-raises exceptions of its workers with their traceback as text.
    """

    images: ImageSet
    protocols: Sequence[Protocol]
    indices: Sequence[int]
    augmentation: Augmentation | None = None
    cache: PixelCache | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Item | DensezooError:
        index = self.indices[position]
        sets = self.images.label_sets
        labels = (self.images.labels[index],) if sets is None else sets[index]
        try:
            return index, self._pixels(index), labels
        except DensezooError as error:
            return error

    def _pixels(self, index: int) -> list[Tensor]:
        """Decoded once for all protocols that decode alike, and not at all where the cache has the pixels."""
        decoded: dict[object, Decoded] = {}
        read = cache(self.images.read)

        def under(protocol: Protocol) -> Tensor:
            way = protocol.decoder, protocol.exif
            if way not in decoded:
                decoded[way] = decode(read(index), protocol, self.images.where(index))
            views = self.augmentation
            return to_views(decoded[way], protocol, views) if views else to_pixels(decoded[way], protocol)

        if self.cache is None:
            return [under(protocol) for protocol in self.protocols]
        return [self.cache.pixels(index, protocol, partial(under, protocol)) for protocol in self.protocols]


def collate(items: list[Item | DensezooError]) -> list[Batch] | DensezooError:
    """One batch a protocol, or the first error among the items."""
    scored = []
    for item in items:
        if isinstance(item, DensezooError):
            return item
        scored.append(item)
    indices, pixels, labels = zip(*scored)
    batches = []
    for images in zip(*pixels):
        shapes = {tuple(image.shape) for image in images}
        if len(shapes) > 1:
            return DatasetError(
                f"images of several sizes in one batch: {sorted(shapes)[:3]}; use a protocol that resizes"
            )
        batches.append(Batch(torch.tensor(indices), torch.stack(images), _labels(labels)))
    return batches


def _labels(sets: Sequence[tuple[int, ...]]) -> Tensor:
    width = max(len(labels) for labels in sets)
    filled = torch.tensor([[*labels, *[NO_LABEL] * (width - len(labels))] for labels in sets])
    return filled.squeeze(1) if width == 1 else filled


def batches(
    images: ImageSet, protocol: Protocol, *, batch_size: int, workers: int, indices: Sequence[int], pin: bool = False
) -> Iterator[Batch]:
    """The images at ``indices``, in that order, in batches of at most ``batch_size``.

    Raises:
        ImageError: an image can't be read or decoded; names its file.
        DatasetError: images of several sizes under a protocol that doesn't resize.
    """
    for (batch,) in batches_by_protocol(
        images, (protocol,), batch_size=batch_size, workers=workers, indices=indices, pin=pin
    ):
        yield batch


def batches_by_protocol(
    images: ImageSet,
    protocols: Sequence[Protocol],
    *,
    batch_size: int,
    workers: int,
    indices: Sequence[int],
    pin: bool = False,
    augmentation: Augmentation | None = None,
    cache_folder: Path | None = None,
) -> Iterator[list[Batch]]:
    """The same for several protocols in one pass over the files: each time one batch a protocol, of the same images.

    Args:
        augmentation: every batch has its views of each image.
        cache_folder: where decoded pixels are kept and found again; None: nowhere.

    Raises:
        ImageError, DatasetError: as `batches`.
    """
    kept = PixelCache(cache_folder, images.fingerprint(), len(images), augmentation) if cache_folder else None
    loader = DataLoader(
        ImagePixels(images, protocols, indices, augmentation, kept),
        batch_size=batch_size,
        num_workers=min(workers, len(indices)),
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=_one_thread if any(protocol.resize_backend == "cv2" for protocol in protocols) else None,
    )
    for loaded in loader:
        if isinstance(loaded, DensezooError):
            raise loaded
        yield loaded


def _one_thread(worker: int) -> None:
    """OpenCV's threads would only get in the way of the other workers."""
    import cv2

    cv2.setNumThreads(0)
