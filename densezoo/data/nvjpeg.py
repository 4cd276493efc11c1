"""JPEG files decoded and resized on a GPU, a batch at a time: torchvision's nvJPEG and PyTorch's resize.

nvJPEG's inverse transform and its upsampling of colours aren't libjpeg's, and PyTorch's resize rounds once where Pillow
rounds twice; so pixels differ by a step or two, and the protocols that ask for this are named for it
(`densezoo.protocols.GPU_SUFFIX`). What isn't a whole, plain JPEG is decoded by Pillow.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import io

from densezoo.data.decoding import WITHOUT_WARNINGS, decode
from densezoo.data.images import ImageSet
from densezoo.data.jpeg import plain_kind
from densezoo.data.loading import Batch, Item, OnError, collate, errors_in, warn_of
from densezoo.data.preprocess import Prepared
from densezoo.data.resampling import crop_offset, resize_planes, resized_size
from densezoo.data.workers import POLL, Pulse, watched_batches
from densezoo.errors import BackendError, DatasetError, DensezooError, ImageError
from densezoo.protocols import PROTOCOLS
from densezoo.types import Protocol

Encoded: TypeAlias = "tuple[int, bytes | ImageError, tuple[int, ...]]"  # (index, file, its right labels)


@dataclass(frozen=True)
class EncodedImages(Dataset[object]):
    """A torch dataset of encoded files. Item i is the image ``indices[i]``, or a DensezooError.

    Args:
        images: the set.
        indices: of the images to read, into the set.
        pulse: counts the images that each worker reads.
    """

    images: ImageSet
    indices: Sequence[int]
    pulse: Pulse = field(default_factory=lambda: Pulse(0))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Encoded | DensezooError:
        self.pulse.beat()
        index, sets = self.indices[position], self.images.label_sets
        labels = (self.images.labels[index],) if sets is None else sets[index]
        try:
            content = self.images.read(index)
        except ImageError as error:
            return index, error, labels
        except DensezooError as error:
            return error
        if not isinstance(content, bytes):
            location = self.images.location_of(index)
            return DatasetError(f"{location}: these are pixels, which a GPU needn't decode; choose another protocol")
        return index, content, labels


def decode_files(
    files: Sequence[bytes], locations: Sequence[str], device: str | torch.device
) -> list[Tensor | ImageError]:
    """Each file as planes (3, H, W) uint8 on a device, or why it can't be decoded.

    Args:
        files: encoded.
        locations: of the files, for messages.
        device: a GPU; on the CPU, libjpeg-turbo decodes.

    Raises:
        BackendError: this torchvision decodes nothing on a GPU, or there is none.
    """
    plain = [i for i, data in enumerate(files) if plain_kind(data)]
    decoded: list[Tensor | ImageError | None] = [None] * len(files)
    for i, planes in zip(plain, _decode_plain([files[i] for i in plain], torch.device(device))):
        decoded[i] = planes
    return [
        _by_pillow(data, location, device) if planes is None else planes
        for planes, data, location in zip(decoded, files, locations)
    ]


def _decode_plain(files: Sequence[bytes], device: torch.device) -> Sequence[Tensor | None]:
    """None for a file that the device's decoder refuses."""
    if not files:
        return []
    if not hasattr(io, "decode_jpeg") or (device.type == "cuda" and not torch.cuda.is_available()):
        raise BackendError(
            f"decoding on {device} needs an NVIDIA GPU and torchvision's decode_jpeg (0.21 to 0.29 have it); choose a "
            "protocol without -nvjpeg"
        )
    encoded = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files]
    decode_jpeg = partial(io.decode_jpeg, mode=io.ImageReadMode.RGB, device=device)
    with WITHOUT_WARNINGS:  # that the function will be dropped
        try:
            return list(decode_jpeg(encoded))
        except RuntimeError:  # of one file or another
            return [_or_none(partial(decode_jpeg, [each])) for each in encoded]


def _or_none(decode_one: partial[list[Tensor]]) -> Tensor | None:
    try:
        return decode_one()[0]
    except RuntimeError:
        return None


def _by_pillow(data: bytes, location: str, device: str | torch.device) -> Tensor | ImageError:
    try:
        image = decode(data, PROTOCOLS["torchvision"], location)
    except ImageError as error:
        return error
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).to(device)


def prepare(planes: Tensor, protocol: Protocol) -> Tensor:
    """The protocol's central crop of a decoded image: (3, crop, crop) uint8 on the same device.

    Args:
        planes: (3, H, W) uint8.
        protocol: resizes by PyTorch and crops.
    """
    assert protocol.resize is not None
    assert protocol.crop is not None
    assert protocol.interpolation is not None
    height, width = planes.shape[1:]
    if not (protocol.keeps_crop_size and height == width == protocol.crop):
        size = resized_size(width, height, protocol.resize, protocol.long_side)
        planes = resize_planes(planes, size, protocol.interpolation)
    top, left = (crop_offset(side, protocol.crop, protocol.crop_rounding) for side in planes.shape[1:])
    planes = planes[:, top : top + protocol.crop, left : left + protocol.crop]
    return planes.flip(0) if protocol.channel_order == "BGR" else planes


def gpu_batches(
    images: ImageSet,
    protocols: Sequence[Protocol],
    device: str | torch.device,
    *,
    batch_size: int,
    workers: int,
    indices: Sequence[int],
    on_error: OnError = "stop",
) -> Generator[list[Batch]]:
    """Images under several protocols, decoded and resized on the device; workers only read their files.

    Yields one batch for each protocol, of equal images.

    Args:
        images: the set.
        protocols: with GPU_SUFFIX.
        device: decodes and resizes.
        batch_size: images in a batch; the last one may have fewer.
        workers: processes that read files.
        indices: of the images, in the order in which they are read.
        on_error: an image that can't be read stops the run, or is left out of the pixels, with a warning.

    Raises:
        ImageError: an image can't be read or decoded; names its file.
        DatasetError: images of several sizes under a protocol that doesn't resize.
        EvaluationError: a worker hangs.
        BackendError: the device can't decode.
    """
    workers = min(workers, len(indices))
    pulse = Pulse(workers)
    loader: DataLoader[object] = DataLoader(
        EncodedImages(images, indices, pulse),
        batch_size=batch_size,
        num_workers=workers,
        timeout=POLL if workers else 0,
        multiprocessing_context="fork" if workers else None,
        collate_fn=list,
    )
    with closing(watched_batches(loader, pulse)) as steps:
        for items in steps:
            loaded = collate(_items(items, images, protocols, device))
            warn_of(errors_in(loaded, on_error), on_error)
            assert not isinstance(loaded, DensezooError), "it would have been raised"
            yield loaded


def _items(
    encoded: Sequence[Encoded | DensezooError],
    images: ImageSet,
    protocols: Sequence[Protocol],
    device: str | torch.device,
) -> list[Item | DensezooError]:
    """Encoded images as `ImagePixels` gives decoded ones."""
    for each in encoded:
        if isinstance(each, DensezooError):
            return [each]
    read = [each for each in encoded if not isinstance(each, DensezooError)]
    whole = [(index, data) for index, data, _ in read if isinstance(data, bytes)]
    files, locations = [data for _, data in whole], [images.location_of(index) for index, _ in whole]
    planes = dict(zip((index for index, _ in whole), decode_files(files, locations, device)))
    items: list[Item | DensezooError] = []
    for index, data, labels in read:
        image = data if isinstance(data, ImageError) else planes[index]
        views = [image if isinstance(image, ImageError) else Prepared(prepare(image, each)) for each in protocols]
        items.append((index, views, labels))
    return items
