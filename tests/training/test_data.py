from __future__ import annotations

import torch

from densezoo.data.datasets import open_dataset
from densezoo.data.preprocess import normalise
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import no_change
from densezoo.training.data import TrainingImages
from densezoo.types import Recipe


def test_without_augmentation_an_image_is_what_evaluation_sees() -> None:
    images, protocol = open_dataset("digits", None, "train"), get_protocol("digits")
    floats, label = TrainingImages(images, protocol, no_change(Recipe(1, 1), protocol))[5]
    assert label == images.labels[5]
    assert torch.equal(floats, normalise(torch.from_numpy(images.read(5))[None], protocol))
