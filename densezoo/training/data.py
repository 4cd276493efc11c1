"""Training images: decoded, augmented, normalised, and in batches by worker processes."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet
from densezoo.data.preprocess import normalise, to_pixels
from densezoo.data.resampling import as_image
from densezoo.data.workers import (
    POLL,
    Pulse,
    Travelling,
    arrived,
    lost_workers_named,
    to_travel,
    watched_batches,
    without_lost_connections,
)
from densezoo.errors import DatasetError, DensezooError, some
from densezoo.training.augmentations import Transforms
from densezoo.training.sampling import Batches
from densezoo.types import Protocol

Item = tuple[Tensor, "int | Tensor"]


@dataclass(frozen=True)
class TrainingImages(Dataset["Item | DensezooError"]):
    """Item (index, draw): (float32 image (C, H, W), class or labels), or the error if the image can't be read.

    Whatever the augmentation draws follows from ``draw`` alone. Errors are values because DataLoader re-raises its
    workers' exceptions with their traceback as text.

    Args:
        images: encoded images and their labels.
        protocol: decodes and normalises each; resizes and crops those that no transform has cut out.
        transforms: the augmentation's random changes.
        labels: how many labels there are, of which an image may have several; None: each image has one class.
        pulse: counts the images that each worker reads.
    """

    images: ImageSet
    protocol: Protocol
    transforms: Transforms
    labels: int | None = None
    pulse: Pulse = field(default_factory=lambda: Pulse(0))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: tuple[int, int]) -> Item | DensezooError:
        index, draw = place
        self.pulse.beat()
        try:
            with drawing_from(draw):
                return self._augmented(index), self._label(index)
        except DensezooError as error:
            return error

    def _label(self, index: int) -> int | Tensor:
        """The class; of several labels float32 (labels,), 1 where one holds."""
        if self.labels is None or self.images.label_sets is None:
            return self.images.labels[index]
        holds = torch.zeros(self.labels)
        holds[list(self.images.label_sets[index])] = 1.0
        return holds

    def _augmented(self, index: int) -> Tensor:
        image = decode(self.images.read(index), self.protocol, self.images.location_of(index))
        rest = self.protocol
        if self.transforms.on_image is not None:
            image = self.transforms.on_image(as_image(image))
            rest = replace(rest, **AS_CUT)
        floats = normalise(to_pixels(image, rest), rest)
        if self.transforms.on_floats is not None:
            floats = self.transforms.on_floats(floats)
        return floats


#: Fields of a protocol for images that an augmentation has cut out: nothing is resized or cropped.
AS_CUT: dict[str, Any] = {"resize": None, "interpolation": None, "crop": None, "long_side": "floor"}
AS_CUT |= {"resize_backend": "pil", "antialias": True}


@contextmanager
def drawing_from(draw: int) -> Iterator[None]:
    """Seed the random numbers of torch, random and numpy while the block runs; then each goes on where it was.

    Args:
        draw: the seed, 0 to 2**63.
    """
    former = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        torch.default_generator.manual_seed(draw)  # of the CPU alone: torch.manual_seed costs more with GPUs
        random.seed(draw)
        np.random.seed(draw & 0xFFFFFFFF)
        yield
    finally:
        torch.set_rng_state(former[0])
        random.setstate(former[1])
        np.random.set_state(former[2])


def load_batches(
    images: TrainingImages, batches: Batches, workers: int, pin: bool = False
) -> Generator[tuple[Tensor, Tensor]]:
    """Batches of (float32 images (N, C, H, W), labels); a caller that doesn't exhaust it must close it.

    Args:
        images: the training set; row groups that a shuffled order needs stay in memory (`ImageSet.for_shuffling`).
        batches: which of them make each batch.
        workers: processes that decode images; 0: none but this one.
        pin: batches are in page-locked memory, for a GPU.

    Raises:
        ImageError: an image can't be read or decoded; names its file.
        DatasetError: images of several sizes.
        EvaluationError: a worker died or hangs.
    """
    pulse = Pulse(workers)
    loader: DataLoader[Any] = DataLoader(
        replace(images, pulse=pulse),
        batch_sampler=batches,
        num_workers=workers,
        timeout=POLL if workers else 0,
        multiprocessing_context="fork" if workers else None,
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=_begin_worker,
        generator=torch.Generator(),  # else it draws from the numbers that dropout takes
    )
    with lost_workers_named(), closing(watched_batches(loader, pulse)) as loaded:
        for batch in loaded:
            if isinstance(batch, DensezooError):
                raise batch
            yield arrived(batch[0]), batch[1]


def check_classes(images: ImageSet, num_classes: int, labels: Sequence[str] | None = None) -> None:
    """Refuse a training set in which a class has no image: the network would never name it.

    Args:
        images: the training set.
        num_classes: of the network.
        labels: names of the labels, of which an image may have several, or none; None: each has one class.

    Raises:
        DatasetError: there are such classes; names them.
    """
    present = chain.from_iterable(images.label_sets or ()) if labels else images.labels
    missing = sorted(set(range(num_classes)) - set(present))
    if not missing:
        return
    named = some([repr(labels[number]) if labels else str(number) for number in missing], most=10)
    if labels:
        raise DatasetError(
            f"{images.location}: expected images to train on that have each label, found none that has {named}; add "
            "some, or leave the column out"
        )
    what = "classes" if len(missing) > 1 else "class"
    raise DatasetError(
        f"{images.location}: expected training images of all {num_classes} classes, found none of {what} {named} "
        "(from 0); add images, or give the model.num_classes that there are"
    )


def collate(items: list[Item | DensezooError]) -> tuple[Travelling, Tensor] | DensezooError:
    """The batch, or the first item that is an error.

    Args:
        items: of `TrainingImages`.
    """
    read = []
    for item in items:
        if isinstance(item, DensezooError):
            return item
        read.append(item)
    images, labels = zip(*read)
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        return DatasetError(
            f"training images of several sizes in one batch: {sorted(shapes)[:3]}; "
            "use a protocol that resizes, or an augmentation that does"
        )
    stacked = torch.stack(images)
    return (to_travel(stacked) if get_worker_info() else stacked), torch.stack(labels) if isinstance(
        labels[0], Tensor
    ) else torch.tensor(labels)


def _begin_worker(worker: int) -> None:
    """Prepare a worker process: the main one alone answers signals, and ends it; OpenCV takes one thread."""
    sys.excepthook = without_lost_connections
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and Slurm's preemption reach every process
        signal.signal(number, signal.SIG_IGN)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)
