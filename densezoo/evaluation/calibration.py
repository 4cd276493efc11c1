"""The training images on which a backend of whole numbers (int8) learns the ranges of a network's activations."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet, digest_of
from densezoo.data.preprocess import to_pixels
from densezoo.types import Calibration, Protocol

NUM_IMAGES = 300  # NNCF's own number


def chosen_positions(images: ImageSet) -> list[int]:
    """The images that are used: evenly spaced, since a dataset may be sorted by class.

    Args:
        images: the training set.
    """
    number = min(NUM_IMAGES, len(images))
    return [i * len(images) // number for i in range(number)]


def identify(images: ImageSet, dataset: str) -> Calibration:
    """Which images are used, as the result names them.

    Args:
        images: the training set.
        dataset: its name.

    Raises:
        ImageError: one of them can't be read.
    """
    positions, digest = chosen_positions(images), hashlib.sha256()
    for position in positions:
        digest.update(f"{images.ids[position]}\n".encode() + digest_of(images.read(position)))
    return Calibration(dataset, len(positions), digest.hexdigest())


def calibration_pixels(images: ImageSet, protocol: Protocol) -> Tensor:
    """Their pixels (N, C, H, W) under a protocol.

    Args:
        images: the training set.
        protocol: of the run; its images have one size.

    Raises:
        ImageError: one of them can't be read.
    """
    decoded = (decode(images.read(i), protocol, images.location_of(i)) for i in chosen_positions(images))
    return torch.stack([to_pixels(image, protocol) for image in decoded])
