from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo.data.datasets import open_dataset
from densezoo.data.images import ArrayImages
from densezoo.data.preprocess import normalise
from densezoo.errors import DatasetError, DensezooError
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.training.augmentations import Transforms
from densezoo.training.data import TrainingImages, check_classes, load_batches
from densezoo.training.sampling import Batches
from densezoo.types import Recipe


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


NOISE = ArrayImages(
    "noise",
    [*"abcd"],
    [0, 2, 1, 0],
    np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8),
    label_sets=[(0, 2), (2,), (1, 2), (0,)],
)
DIGITS = get_protocol("digits")


def test_what_an_augmentation_draws_follows_from_the_draw_alone() -> None:
    """Of torch, random and numpy, whose own numbers go on as if nothing had been drawn."""
    drawn: list[tuple[float, float, float]] = []

    def change(floats: torch.Tensor) -> torch.Tensor:
        drawn.append((float(torch.rand(1)), random.random(), float(np.random.rand())))
        return -floats

    def others() -> tuple[list[int], object, list[int]]:
        return torch.get_rng_state().tolist(), random.getstate(), cast("Any", np.random.get_state())[1].tolist()

    images = TrainingImages(NOISE, DIGITS, Transforms(on_floats=change))
    before = others()
    items = [images[place] for place in ((0, 7), (1, 7), (0, 8))]
    assert others() == before
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[0], drawn[2]))
    assert not isinstance(items[0], DensezooError)
    assert torch.equal(items[0][0], -normalise(torch.from_numpy(NOISE.pixels[0])[None], DIGITS))


def test_several_labels_of_an_image() -> None:
    items = [TrainingImages(NOISE, DIGITS, Transforms(), labels=3)[index, 0] for index in range(4)]
    assert [item[1].tolist() for item in items] == [[1, 0, 1], [0, 0, 1], [0, 1, 1], [1, 0, 0]]  # type: ignore


def test_batches_draw_nothing_from_the_numbers_that_dropout_takes() -> None:
    before = torch.get_rng_state()
    given = Batches(NOISE, Recipe(epochs=2, batch_size=2))
    batches = list(load_batches(TrainingImages(NOISE, DIGITS, Transforms()), given, workers=0))
    assert torch.equal(before, torch.get_rng_state())
    assert [labels.tolist() for _, labels in batches] == [[NOISE.labels[i] for i, _ in draws] for draws in given]
    assert [images.shape for images, _ in batches] == [(2, 1, 8, 8)] * 4


def test_classes_without_an_image_are_named() -> None:
    check_classes(NOISE, 3)
    check_classes(NOISE, 3, ("cat", "dog", "eel"))
    with pytest.raises(DatasetError, match=r"noise: .*of all 5 classes, found none of classes 3, 4 \(from 0\)"):
        check_classes(NOISE, 5)
    with pytest.raises(DatasetError, match="noise: .*each label, found none that has 'cat'; "):
        check_classes(replace(NOISE, label_sets=[(1,), (2,), (), (1,)]), 3, ("cat", "dog", "eel"))
