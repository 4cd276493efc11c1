from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo.data.datasets import open_dataset
from densezoo.data.images import ArrayImages
from densezoo.data.preprocess import normalise
from densezoo.errors import DensezooError
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.training.augmentations import Transforms
from densezoo.training.data import TrainingImages


def test_without_augmentation_an_image_is_what_evaluation_sees() -> None:
    images, protocol = open_dataset("digits", None, "train"), get_protocol("digits")
    item = TrainingImages(images, protocol, Transforms())[5, 0]
    assert not isinstance(item, DensezooError)
    floats, label = item
    assert label == images.labels[5]
    assert torch.equal(floats, normalise(torch.from_numpy(images.read(5))[None], protocol))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_an_augmentation_cuts_out_is_taken_as_it_is(name: str) -> None:
    """Under every protocol: one that resizes otherwise has nothing to resize then."""
    protocol = get_protocol(name)
    mode = "L" if protocol.channel_order == "L" else "RGB"
    cut = Image.new(mode, (7, 7), 255 if mode == "L" else (255, 0, 255))
    images = ArrayImages("noise", ["a"], [0], np.zeros((1, 9, 9) if mode == "L" else (1, 9, 9, 3), np.uint8))
    item = TrainingImages(images, protocol, Transforms(on_image=lambda _: cut))[0, 0]
    assert not isinstance(item, DensezooError), item
    assert item[0].shape == (len(protocol.mean), 7, 7)
    white = (protocol.value_range - protocol.mean[0]) / protocol.std[0]  # red or blue or grey, whichever is first
    assert float(item[0][0, 0, 0]) == pytest.approx(white, rel=1e-4)
