"""Classes of unequal size: weights in the loss, or an order in which each class comes equally often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import DatasetError, some

_BALANCED = 4  # tells these random numbers from others of the same seed and epoch (`densezoo.training.sampling`)


def class_weights(labels: Sequence[int], num_classes: int, location: str) -> NDArray[np.float32]:
    """(num_classes,): what a class weighs in the loss, by its images' inverse frequency; over images the mean is 1.

    Args:
        labels: of the training images.
        num_classes: of the network.
        location: of the images, for messages.

    Raises:
        DatasetError: a class has no image.
    """
    counts = np.bincount(np.asarray(labels), minlength=num_classes)
    _check_each(counts, location, "image")
    weights: NDArray[np.float32] = (len(labels) / (num_classes * counts)).astype(np.float32)
    return weights


def label_weights(label_sets: Sequence[Sequence[int]], num_labels: int, location: str) -> NDArray[np.float32]:
    """(num_labels,): images without a label / images with it: what its presence weighs in a binary loss.

    Args:
        label_sets: the labels of each training image.
        num_labels: of the network.
        location: of the images, for messages.

    Raises:
        DatasetError: a label has no image, or has all of them.
    """
    counts = np.bincount([label for labels in label_sets for label in labels], minlength=num_labels)
    _check_each(counts, location, "image with it")
    _check_each(len(label_sets) - counts, location, "image without it")
    weights: NDArray[np.float32] = ((len(label_sets) - counts) / counts).astype(np.float32)
    return weights


def _check_each(counts: NDArray[np.int64], location: str, what: str) -> None:
    if absent := np.flatnonzero(counts == 0).tolist():
        raise DatasetError(
            f"{location}: train.class_weights='balanced' divides by the images of a class, and there is no {what} of "
            f"{some([str(number) for number in absent])} (classes count from 0); add images, or leave class_weights out"
        )


def balanced_order(labels: Sequence[int], seed: int, epoch: int) -> NDArray[np.int64]:
    """The indices of an epoch's images, in which each class that has images comes equally often, give or take one.

    An epoch has as many places as there are images. A class with more images than places takes others in each epoch;
    one with fewer comes in turns, each a permutation of its images.

    Args:
        labels: of the images.
        seed: of the recipe.
        epoch: from 0.
    """
    random = np.random.RandomState(
        [seed & 0xFFFFFFFF, seed >> 32, epoch, _BALANCED]
    )  # the same in all versions of numpy
    of_images = np.asarray(labels)
    classes = random.permutation(np.unique(of_images))  # the first ones get what is left over
    drawn = []
    for position, label in enumerate(classes):
        own = np.flatnonzero(of_images == label)
        places = len(of_images) // len(classes) + (position < len(of_images) % len(classes))
        turns = [random.permutation(own) for _ in range(-(-places // len(own)))]
        drawn.append(np.concatenate(turns)[:places] if turns else own[:0])
    order: NDArray[np.int64] = random.permutation(np.concatenate(drawn)).astype(np.int64)
    return order
