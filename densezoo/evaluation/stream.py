"""Images -> what is made of their logits, step by step: by threads that decode and compute, or loader processes.

Evaluations make records of the logits; predictions and features make their own.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial

from densezoo.backends.base import Backend, QueuedBackend
from densezoo.backends.views import begin_sum_over_views, sum_over_views
from densezoo.data.cache import PixelCache
from densezoo.data.images import ImageSet
from densezoo.data.loading import Batch, Faster, ImagePixels, batches_by_protocol
from densezoo.data.views import get_augmentation
from densezoo.evaluation import distributed
from densezoo.evaluation.concurrent import computed_by_threads, default_threads, groups_of
from densezoo.evaluation.evaluator import Made, Make, computed
from densezoo.evaluation.faster import faster_ways
from densezoo.evaluation.options import RunOptions

AHEAD = 1  # steps that wait for a GPU while the next one is read and queued
LOADERS = 2  # processes that decode for a backend that isn't concurrent


def stream(
    backends: Sequence[Backend],
    images: ImageSet,
    indices: range,
    options: RunOptions,
    make: Make[Made],
    faster: Faster | None = None,
) -> Generator[list[Made]]:
    """What is made of every step of images, in their order; a step may come in several parts.

    Args:
        backends: one for each protocol.
        images: the set.
        indices: of the images that are computed.
        options: batch size, workers, augmentation, cache, and what becomes of an image that can't be read.
        make: takes the logits and the batches, one for each backend, of the same images.
        faster: ways to decode and crop; None: all that this machine has.

    Raises:
        ImageError, DatasetError, EvaluationError: from the images and from ``make``.
    """
    protocols, ahead = [backend.protocol for backend in backends], int(isinstance(backends[0], QueuedBackend)) * AHEAD
    if not any(protocol.decoder == "nvjpeg" for protocol in protocols):
        faster = faster_ways() if faster is None else faster
        if (line := faster.tried(images, protocols, indices)) and distributed.is_main():
            logging.getLogger("densezoo").warning(line)
        if all(backend.concurrent for backend in backends):
            yield from _by_threads(backends, images, indices, options, make, faster)
            return
        steps = _decoded_by_processes(backends, images, indices, options, faster)
    else:
        steps = _decoded_on_gpu(backends, images, indices, options)
    begin = [partial(begin_sum_over_views, backend) for backend in backends]
    with closing(computed(begin, steps, make, ahead)) as computed_steps:
        for step in computed_steps:
            yield [step]


def _by_threads(
    backends: Sequence[Backend],
    images: ImageSet,
    indices: range,
    options: RunOptions,
    make: Make[Made],
    faster: Faster,
) -> Generator[list[Made]]:
    """What threads make that each decode and compute."""
    augmentation = get_augmentation(options.tta)
    cache = PixelCache(options.cache, images, augmentation) if options.cache else None
    protocols = [backend.protocol for backend in backends]
    pixels = ImagePixels(images, protocols, indices, augmentation, cache, faster=faster)
    threads = default_threads() if options.workers is None else options.workers
    groups, views = groups_of(pixels, options.batch_size), [partial(sum_over_views, each) for each in backends]
    with closing(computed_by_threads(views, pixels, groups, threads, options.on_error, make)) as steps:
        yield from steps


def _decoded_by_processes(
    backends: Sequence[Backend], images: ImageSet, indices: range, options: RunOptions, faster: Faster
) -> Generator[list[Batch]]:
    return batches_by_protocol(
        images,
        [backend.protocol for backend in backends],
        batch_size=options.batch_size,
        workers=LOADERS if options.workers is None else options.workers,
        indices=indices,
        pin=backends[0].device.type == "cuda",
        on_error=options.on_error,
        augmentation=get_augmentation(options.tta),
        cache_folder=options.cache,
        faster=faster,
    )


def _decoded_on_gpu(
    backends: Sequence[Backend], images: ImageSet, indices: range, options: RunOptions
) -> Generator[list[Batch]]:
    """Batches of images that the backends' GPU decodes."""
    from densezoo.data.nvjpeg import gpu_batches  # imports torchvision

    return gpu_batches(
        images,
        [backend.protocol for backend in backends],
        backends[0].device,
        batch_size=options.batch_size,
        workers=LOADERS if options.workers is None else options.workers,
        indices=indices,
        on_error=options.on_error,
    )
