from __future__ import annotations

import torch

from densezoo.data.datasets import open_dataset
from densezoo.data.preprocess import normalise
from densezoo.errors import DensezooError
from densezoo.protocols import get_protocol
from densezoo.training.augmentations import Transforms
from densezoo.training.data import TrainingImages


def test_without_augmentation_an_image_is_what_evaluation_sees() -> None:
    images, protocol = open_dataset("digits", None, "train"), get_protocol("digits")
    item = TrainingImages(images, protocol, Transforms())[5, 0]
    assert not isinstance(item, DensezooError)
    floats, label = item
    assert label == images.labels[5]
    assert torch.equal(floats, normalise(torch.from_numpy(images.read(5))[None], protocol))
