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
from densezoo.data.cropping import EqualCropper
from densezoo.data.decoding import Decoded, decode, is_truncated
from densezoo.data.equality import Comparisons
from densezoo.data.images import ImageSet
from densezoo.data.jpeg import EqualDecoder
from densezoo.data.preprocess import Prepared, check_size, to_pixels
from densezoo.data.views import Augmentation, to_views
from densezoo.data.workers import POLL, Pulse, Travelling, arrived, to_travel, watched_batches, without_lost_connections
from densezoo.errors import DatasetError, DensezooError, ImageError
from densezoo.types import Protocol

TRIED = 12  # images on which faster ways are compared before a run
NO_LABEL = -1  # pads sets of labels to the same length

OnError = Literal["stop", "count-wrong", "skip"]  # skip: in predictions, which count nothing
_WARNINGS = {"count-wrong": "counted wrong", "skip": "skipped"}
View: TypeAlias = "Prepared | ImageError"  # an image, or the error if it can't be read

#: (index, the image under each protocol, its right labels)
Item: TypeAlias = "tuple[int, list[View], tuple[int, ...]]"


@dataclass(frozen=True)
class Batch:
    """A few images under one protocol.

    Args:
        indices: (N,) into the image set.
        pixels: (R, C, H, W) of the R images that can be read; uint8, or float32 under a protocol that resizes in
            floats; (R, V, C, H, W) with V views of each image.
        labels: (N,); or (N, K) if an image may have several right answers, padded with NO_LABEL.
        errors: {position in the batch: why that image can't be read}.
        truncated: (N,), whether an image's end is missing and was filled in.
    """

    indices: Tensor
    pixels: Tensor
    labels: Tensor
    errors: Mapping[int, ImageError]
    truncated: Tensor

    @property
    def unreadable(self) -> Tensor:
        """(N,), whether each image can't be read."""
        return torch.tensor([i in self.errors for i in range(len(self.indices))], dtype=torch.bool)

    def pin_memory(self) -> Batch:
        """DataLoader's hook: the same batch in page-locked memory, from which a GPU can copy it."""
        return replace(self, pixels=self.pixels.pin_memory())

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle a batch for its way from a worker: only the pixels may take shared memory."""
        small = [tensor.numpy() for tensor in (self.indices, self.labels, self.truncated)]
        return _arrived, (to_travel(self.pixels), small, dict(self.errors))


def _arrived(pixels: Travelling, small: Sequence[NDArray[Any]], errors: Mapping[int, ImageError]) -> Batch:
    indices, labels, truncated = map(torch.from_numpy, small)
    return Batch(indices, arrived(pixels), labels, errors, truncated)


@dataclass(frozen=True)
class ImagePixels(Dataset[object]):
    """A torch dataset of images under several protocols.

    Item i is the image ``indices[i]`` under each protocol, or a DensezooError. Errors are returned as values because
    DataLoader re-raises exceptions of its workers with their traceback as text.

    Args:
        images: the set.
        protocols: how each image is prepared.
        indices: of the images to read, into the set.
        augmentation: its views of each image are made; None: one view.
        cache: of decoded pixels; None: none.
        pulse: counts the images that each worker reads.
        faster: ways to decode and crop; None: the protocols' own.
    """

    images: ImageSet
    protocols: Sequence[Protocol]
    indices: Sequence[int]
    augmentation: Augmentation | None = None
    cache: PixelCache | None = None
    pulse: Pulse = field(default_factory=lambda: Pulse(0))
    faster: Faster | None = None

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
        """An image under each protocol, or the error if it can't be read under a protocol.

        It is decoded once for all protocols that decode alike, and not at all if the cache has the pixels.
        """
        decoded: dict[object, Decoded] = {}
        read, location = cache(self.images.read), self.images.location_of(index)

        def under(protocol: Protocol) -> Prepared:
            content, decoding, views = read(index), (protocol.decoder, protocol.exif), self.augmentation
            if decoding not in decoded:
                own = partial(decode, content, protocol, location)
                decoder = self.faster and self.faster.decoder
                decoded[decoding] = decoder.decode(content, protocol, location, own) if decoder else own()
            check_size(decoded[decoding], protocol, location)
            pixels = to_views(decoded[decoding], protocol, views) if views else cropped(decoded[decoding], protocol)
            return Prepared(pixels, isinstance(content, bytes) and is_truncated(content, protocol))

        def cropped(image: Decoded, protocol: Protocol) -> Tensor:
            own, cropper = partial(to_pixels, image, protocol), self.faster and self.faster.cropper
            return cropper.crop(image, protocol, location, own) if cropper else own()

        def cached(protocol: Protocol) -> Prepared:
            if self.cache is None:
                return under(protocol)
            return self.cache.prepared(index, protocol, partial(under, protocol))

        return [_or_error(partial(cached, protocol)) for protocol in self.protocols]


@dataclass(frozen=True)
class Faster:
    """Faster ways to decode and to crop, used where they are seen to be equal to the protocol's own libraries.

    Args:
        decoder: of JPEG files; None: the protocols' own decode all files.
        cropper: of the resized image; None: the protocols' own resize all images.
    """

    decoder: EqualDecoder | None = None
    cropper: EqualCropper | None = None

    def tried(self, images: ImageSet, protocols: Sequence[Protocol], indices: Sequence[int]) -> str | None:
        """Compare both on the first images; one line on what is used, None if there is nothing to say.

        Args:
            images: the set.
            protocols: under which they are prepared.
            indices: of the images of the run; the first TRIED are prepared.
        """
        tried = ImagePixels(images, protocols, indices[:TRIED], faster=self)
        for position in range(len(tried)):
            tried[position]  # an error is the run's to report
        parts: list[Comparisons[Any]] = [part.seen for part in (self.decoder, self.cropper) if part is not None]
        used = [seen.name for seen in parts if seen.kinds[0]]
        refused = [seen.name for seen in parts if seen.kinds[1]]
        says = f"with {' and '.join(used)} where equal to the protocol's own libraries" if used else ""
        if refused:
            says += f"{'; ' if used else ''}not with {' and '.join(refused)} for images to which it gives other pixels"
        return f"images: {says}" if says else None


def _or_error(view: Callable[[], Prepared]) -> View:
    try:
        return view()
    except ImageError as error:
        return error


def collate(items: list[Item | DensezooError]) -> list[Batch] | DensezooError:
    """One batch for each protocol, or the first item that is an error of more than one image.

    Args:
        items: of `ImagePixels`.
    """
    scored = []
    for item in items:
        if isinstance(item, DensezooError):
            return item
        scored.append(item)
    indices, views, labels = zip(*scored)
    batches = []
    for images in zip(*views):
        readable = [image.pixels for image in images if not isinstance(image, ImageError)]
        shapes = {tuple(pixels.shape) for pixels in readable}
        if len(shapes) > 1:
            return DatasetError(
                f"images of several sizes in one batch: {sorted(shapes)[:3]}; use a protocol that resizes"
            )
        stacked = torch.stack(readable) if readable else torch.empty(0)
        errors = {position: image for position, image in enumerate(images) if isinstance(image, ImageError)}
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
    """Images under one protocol, in batches.

    Args:
        images: the set.
        protocol: how they are prepared.
        batch_size: images in a batch; the last one may have fewer.
        workers: processes that decode; 0: this process does.
        indices: of the images, in the order in which they are read.
        pin: batches are in page-locked memory, for a GPU.

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
    faster: Faster | None = None,
) -> Generator[list[Batch]]:
    """Images under several protocols in one pass over the files; yields one batch for each protocol, of equal images.

    Args:
        images: the set.
        protocols: how the images are prepared.
        batch_size: images in a batch; the last one may have fewer.
        workers: processes that decode; 0: this process does.
        indices: of the images, in the order in which they are read.
        pin: batches are in page-locked memory, for a GPU.
        augmentation: the batches have its views of each image; None: one view.
        cache_folder: decoded pixels are stored there and read from there; None: they are not stored.
        on_error: an image that can't be read stops the run, or is left out of the pixels, with a warning.
        faster: ways to decode and crop that are equal to the protocols'; None: the protocols' own.

    Raises:
        ImageError: an image can't be read or decoded; names its file.
        DatasetError: images of several sizes under a protocol that doesn't resize.
        EvaluationError: a worker hangs. One that dies is a RuntimeError (`densezoo.data.workers.lost_workers_named`).
    """
    workers = min(workers, len(indices))
    pixel_cache, pulse = PixelCache(cache_folder, images, augmentation) if cache_folder else None, Pulse(workers)
    loader: DataLoader[object] = DataLoader(
        ImagePixels(images, protocols, indices, augmentation, pixel_cache, pulse, faster),
        batch_size=batch_size,
        num_workers=workers,
        timeout=POLL if workers else 0,
        multiprocessing_context="fork" if workers else None,
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=partial(_begin_worker, any(protocol.resize_backend == "cv2" for protocol in protocols)),
    )
    with closing(watched_batches(loader, pulse)) as loaded_batches:
        for loaded in loaded_batches:
            warn_of(errors_in(loaded, on_error), on_error)
            yield loaded


def errors_in(loaded: list[Batch] | DensezooError, on_error: OnError) -> list[ImageError]:
    """Why images of a step can't be read, each reason once.

    Args:
        loaded: of `collate`.
        on_error: "stop": raise the first one.

    Raises:
        ImageError: an image can't be read or decoded; names its file.
        DatasetError: images of several sizes under a protocol that doesn't resize.
    """
    if isinstance(loaded, DensezooError):
        raise loaded
    errors = list(dict.fromkeys(error for batch in loaded for error in batch.errors.values()))
    if errors and on_error == "stop":
        raise errors[0]
    return errors


def warn_of(errors: Sequence[ImageError], on_error: OnError) -> None:
    """Warn of images that can't be read.

    Args:
        errors: why they can't be read.
        on_error: what becomes of them.
    """
    for error in errors:
        logging.getLogger("densezoo").warning("warning: %s: %s", _WARNINGS[on_error], error)


def _begin_worker(uses_opencv: bool, worker: int) -> None:
    """Prepare a worker process: no tracebacks of lost connections, and one thread for OpenCV."""
    sys.excepthook = without_lost_connections
    if uses_opencv:
        import cv2

        cv2.setNumThreads(0)
