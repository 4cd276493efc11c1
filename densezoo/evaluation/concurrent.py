"""Threads that decode and compute: each takes the next few images, makes their records, and goes on.

For backends that compute on the thread that calls them. An image's pixels stay in the thread, and so in its core's
caches; between threads only records travel.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from densezoo.data.loading import Batch, ImagePixels, OnError, collate, errors_in, warn_of
from densezoo.errors import DensezooError, ImageError
from densezoo.evaluation.evaluator import Made, Make
from densezoo.threads import in_order

Loaded: TypeAlias = "list[Batch] | DensezooError"
PIXELS = 4 * 224 * 224  # of one call of a backend
MOST = 64  # images of one call


def group_size(height: int, width: int) -> int:
    """How many images a thread takes at a time.

    Args:
        height, width: of an image, pixels.
    """
    return max(1, min(MOST, PIXELS // (height * width)))


def groups_of(images: ImagePixels, step: int) -> Groups:
    """The groups in which images are computed, by the size of the first one that can be read.

    Args:
        images: under each protocol.
        step: images whose records are logged together.
    """
    for position in range(min(len(images), 10)):
        item = images[position]
        views = [] if isinstance(item, DensezooError) else item[1]
        sizes = [view.pixels.shape[-2:] for view in views if not isinstance(view, ImageError)]
        if sizes:
            at_once = min(group_size(height, width) for height, width in sizes)
            return Groups(len(images), step, min(at_once, step))
    return Groups(len(images), step, 1)


def default_threads() -> int:
    """One a core: as many as torch would compute with, which follows OMP_NUM_THREADS."""
    return torch.get_num_threads()


@dataclass(frozen=True)
class Groups:
    """Consecutive images divided into steps, and each step into groups; the last of either may be smaller.

    Args:
        num_images: of all steps.
        step: images of a step.
        group: images of a group.
    """

    num_images: int
    step: int
    group: int

    @property
    def a_step(self) -> int:
        """Groups of a whole step."""
        return -(-self.step // self.group)

    def __len__(self) -> int:
        steps, rest = divmod(self.num_images, self.step)
        return steps * self.a_step + -(-rest // self.group)

    def __getitem__(self, number: int) -> range:
        """Positions of a group's images."""
        step, place = divmod(number, self.a_step)
        start, end = step * self.step, min((step + 1) * self.step, self.num_images)
        return range(start + place * self.group, min(start + (place + 1) * self.group, end))

    def is_last(self, number: int) -> bool:
        """Whether a group ends its step."""
        return (number + 1) % self.a_step == 0 or number + 1 == len(self)


def computed_by_threads(
    backends: Sequence[Callable[[Tensor], Tensor]],
    images: ImagePixels,
    groups: Groups,
    num_threads: int,
    on_error: OnError,
    make: Make[Made],
) -> Generator[list[Made]]:
    """What is made of every step, one part a group, in the order in which one thread alone would make them.

    Args:
        backends: one for each protocol, which any number of threads may call.
        images: under each protocol.
        groups: how they are divided.
        num_threads: that decode and compute; 0: the calling thread alone.
        on_error: an image that can't be read stops the run, or is left out of the pixels, with a warning.
        make: takes the logits and the batches of a group, in the thread that computed them.

    Raises:
        ImageError, DatasetError: from the images.
        EvaluationError: a thread waits too long for an image.
    """

    def load(number: int) -> Loaded:
        return collate([images[position] for position in groups[number]])

    def compute(loaded: Loaded) -> tuple[Made, list[ImageError]]:
        errors = errors_in(loaded, on_error)
        assert not isinstance(loaded, DensezooError), "it would have been raised"
        logits = [partial(backend, batch.pixels) for backend, batch in zip(backends, loaded)]
        return make(logits, loaded), errors

    parts: list[Made] = []
    with _opencv_in_one_thread(images), closing(in_order(load, compute, len(groups), num_threads)) as results:
        for number, (outputs, errors) in enumerate(results):
            warn_of(errors, on_error)
            parts.append(outputs)
            if groups.is_last(number):
                yield parts
                parts = []


@contextmanager
def _opencv_in_one_thread(images: ImagePixels) -> Iterator[None]:
    """Let OpenCV compute in the threads that call it, if a protocol uses it."""
    if not any(protocol.resize_backend == "cv2" for protocol in images.protocols):
        yield
        return
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
