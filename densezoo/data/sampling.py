"""A few images of a set, evenly spaced over its classes, for a quick try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from densezoo.data.images import ImageSet, ImagesOfAnotherSet


@dataclass(frozen=True)
class SampledImages(ImagesOfAnotherSet):
    """A sample of another set: ``positions`` are places in ``images``. Only what is sampled is read and hashed."""

    positions: Sequence[int]

    def position(self, index: int) -> int:
        return self.positions[index]


def sample(images: ImageSet, number: int | None) -> ImageSet:
    """That many images of a set, in its order; the set itself if it has no more.

    The set is put in the order of its labels, in which the images are evenly spaced. So each class has its share, give
    or take one image, whether the set is sorted by class, as folders are, or its labels take turns.

    Args:
        images: the set.
        number: of images, 1 or more; None: all.
    """
    if number is None or number >= len(images):
        return images
    by_label = np.argsort(np.asarray(images.labels), kind="stable")
    middles = (2 * np.arange(number) + 1) * len(images) // (2 * number)
    chosen = np.sort(by_label[middles]).tolist()
    common = {entry.name: getattr(images, entry.name) for entry in fields(ImageSet)}
    for name in ("ids", "labels", "label_sets"):
        common[name] = None if common[name] is None else [common[name][index] for index in chosen]
    common["sampled_from"] = len(images)
    return SampledImages(**common, images=images, positions=chosen)
