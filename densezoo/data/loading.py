"""An `ImageSet` under one `Protocol` or several, in batches of pixels, decoded by worker processes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from densezoo.data.cache import PixelCache
from densezoo.data.decoding import Decoded, decode, is_truncated
from densezoo.data.images import ImageSet
from densezoo.data.preprocess import Prepared, to_pixels
from densezoo.data.views import Augmentation, to_views
from densezoo.data.workers import POLL, Pulse, Travelling, arrived, to_travel, watched, without_lost_connections
from densezoo.errors import DatasetError, DensezooError, ImageError
from densezoo.types import Protocol

NO_LABEL = -1  # fills up the shorter of several sets of labels

OnError = Literal["stop", "count-wrong"]
View: TypeAlias = "Prepared | ImageError"  # the error where the image can't be read

#: (index, the image under each protocol, the labels that are right)
Item: TypeAlias = "tuple[int, list[View], tuple[int, ...]]"


@dataclass(frozen=True)
class Batch:
    """A few images under one protocol.

    Args:
        indices: (N,) into the image set.
        pixels: (R, C, H, W) of those that can be read; uint8, or float32 under a protocol that resizes in floats;
            (R, V, C, H, W) with V views of each image.
        labels: (N,); or (N, K) where an image may have several right answers, filled up with NO_LABEL.
        errors: {place in the batch: why that image can't be read}.
        truncated: (N,), whether an image's end is missing and was filled in.
    """

    indices: Tensor
    pixels: Tensor
    labels: Tensor
    errors: Mapping[int, ImageError]
    truncated: Tensor

    @property
    def unreadable(self) -> Tensor:
        """(N,), True where the image can't be read."""
        return torch.tensor([i in self.errors for i in range(len(self.indices))], dtype=torch.bool)

    def pin_memory(self) -> Batch:
        """DataLoader's hook: the same batch where a GPU can fetch it."""
        return replace(self, pixels=self.pixels.pin_memory())

    def __reduce__(self) -> tuple[object, ...]:
        """How a worker sends it: only the pixels may take shared memory."""
        small = [tensor.numpy() for tensor in (self.indices, self.labels, self.truncated)]
        return _arrived, (to_travel(self.pixels), small, dict(self.errors))


def _arrived(pixels: Travelling, small: Sequence[NDArray[Any]], errors: Mapping[int, ImageError]) -> Batch:
    indices, labels, truncated = map(torch.from_numpy, small)
    return Batch(indices, arrived(pixels), labels, errors, truncated)


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
    pulse: Pulse = field(default_factory=lambda: Pulse(0))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Item | DensezooError:
        self.pulse.beat()
        index = self.indices[position]
        sets = self.images.label_sets
        labels = (self.images.labels[index],) if sets is None else sets[index]
        try:
            return index, self._views(index), labels
        except DensezooError as error:
            return error

    def _views(self, index: int) -> list[View]:
        """Decoded once for all protocols that decode alike, and not at all where the cache has the pixels.

        An image that can't be read is an error in its place: one library may read what another can't.
        """
        decoded: dict[object, Decoded] = {}
        read = cache(self.images.read)

        def under(protocol: Protocol) -> Prepared:
            content, way, views = read(index), (protocol.decoder, protocol.exif), self.augmentation
            if way not in decoded:
                decoded[way] = decode(content, protocol, self.images.where(index))
            pixels = to_views(decoded[way], protocol, views) if views else to_pixels(decoded[way], protocol)
            return Prepared(pixels, isinstance(content, bytes) and is_truncated(content, protocol))

        def kept(protocol: Protocol) -> Prepared:
            if self.cache is None:
                return under(protocol)
            return self.cache.prepared(index, protocol, partial(under, protocol))

        return [_or_error(partial(kept, protocol)) for protocol in self.protocols]


def _or_error(view: Callable[[], Prepared]) -> View:
    try:
        return view()
    except ImageError as error:
        return error


def collate(items: list[Item | DensezooError]) -> list[Batch] | DensezooError:
    """One batch a protocol, or the first error among the items that isn't one image's."""
    scored = []
    for item in items:
        if isinstance(item, DensezooError):
            return item
        scored.append(item)
    indices, views, labels = zip(*scored)
    batches = []
    for images in zip(*views):
        read = [image.pixels for image in images if not isinstance(image, ImageError)]
        shapes = {tuple(pixels.shape) for pixels in read}
        if len(shapes) > 1:
            return DatasetError(
                f"images of several sizes in one batch: {sorted(shapes)[:3]}; use a protocol that resizes"
            )
        stacked = torch.stack(read) if read else torch.empty(0)
        errors = {place: image for place, image in enumerate(images) if isinstance(image, ImageError)}
        truncated = torch.tensor([not isinstance(image, ImageError) and image.truncated for image in images])
        batches.append(Batch(torch.tensor(indices), stacked, _labels(labels), errors, truncated))
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
    on_error: OnError = "stop",
) -> Generator[list[Batch]]:
    """The same for several protocols in one pass over the files: each time one batch a protocol, of the same images.

    Args:
        augmentation: every batch has its views of each image.
        cache_folder: where decoded pixels are kept and found again; None: nowhere.
        on_error: an image that can't be read stops the run, or is left to be counted wrong, with a warning.

    Raises:
        ImageError, DatasetError: as `batches`.
        EvaluationError: a worker hangs. One that dies is a RuntimeError (`densezoo.data.workers.lost_workers_named`).
    """
    workers = min(workers, len(indices))
    kept, pulse = PixelCache(cache_folder, images, augmentation) if cache_folder else None, Pulse(workers)
    loader: DataLoader[object] = DataLoader(
        ImagePixels(images, protocols, indices, augmentation, kept, pulse),
        batch_size=batch_size,
        num_workers=workers,
        timeout=POLL if workers else 0,
        multiprocessing_context="fork" if workers else None,
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=partial(_begin_worker, any(protocol.resize_backend == "cv2" for protocol in protocols)),
    )
    with closing(watched(loader, pulse)) as loaded_batches:
        for loaded in loaded_batches:
            if isinstance(loaded, DensezooError):
                raise loaded
            for error in dict.fromkeys(error for batch in loaded for error in batch.errors.values()):
                if on_error == "stop":
                    raise error
                logging.getLogger("densezoo").warning("warning: counted wrong: %s", error)
            yield loaded


def _begin_worker(uses_opencv: bool, worker: int) -> None:
    """OpenCV's threads would only get in the way of the other workers."""
    sys.excepthook = without_lost_connections
    if uses_opencv:
        import cv2

        cv2.setNumThreads(0)
