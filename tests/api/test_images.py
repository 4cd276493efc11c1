"""A dataset's labels are held to the network's classes before an image is scored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from small_imagenet import IMAGES, write

from densezoo import api
from densezoo.api.images import OWN, open_images
from densezoo.config import load_config
from densezoo.errors import DatasetError

EXPERIMENT = load_config(api.DEMO[0])


def test_the_config_s_dataset_by_its_split() -> None:
    assert [len(open_images(EXPERIMENT, None, split)) for split in ("train", "test")] == [898, 899]


def test_more_classes_than_the_network_has() -> None:
    arch = dataclasses.replace(EXPERIMENT.model, num_classes=9)
    with pytest.raises(DatasetError, match=r"label 9 is out of range; expected 0 to 8: this is not the data for that"):
        open_images(dataclasses.replace(EXPERIMENT, model=arch), None, "test")


def test_labels_of_a_class_map_are_held_to_the_network_too(tmp_path: Path) -> None:
    """Of a dataset whose number of classes only the network knows."""
    experiment = dataclasses.replace(EXPERIMENT, dataset="imagefolder")
    write(tmp_path / "val" / "cat" / "a.png", IMAGES[0])
    (tmp_path / "map.txt").write_text("cat 10\n")
    with pytest.raises(DatasetError, match=rf"{tmp_path}/val/cat/a.png: label 10 is out of range; expected 0 to 9"):
        open_images(experiment, tmp_path / "val", "test", class_map=tmp_path / "map.txt")
    (tmp_path / "map.txt").write_text("cat 9\n")
    images = open_images(experiment, tmp_path / "val", "test", class_map=tmp_path / "map.txt")
    assert list(images.labels) == [9]


def test_folders_of_the_classes_that_the_weights_state(tmp_path: Path) -> None:
    """Without them nothing says which classes fewer folders are: numbered in their order they would be others."""
    for name in ("cat", "eel"):
        write(tmp_path / name / "1.png", IMAGES[0])
    experiment = dataclasses.replace(EXPERIMENT, dataset=OWN)
    with pytest.raises(
        DatasetError, match="expected 10 class folders, .* found 2: cat, eel; name them by the classes'"
    ):
        open_images(experiment, tmp_path, "test")
    two = dataclasses.replace(experiment, model=dataclasses.replace(EXPERIMENT.model, num_classes=2))
    assert list(open_images(two, tmp_path, "test").labels) == [0, 1]
    assert list(open_images(experiment, tmp_path, "test", class_names=["cat", "dog", "eel"]).labels) == [0, 2]
    with pytest.raises(DatasetError, match="the class folders eel are none of the network's 2 classes"):
        open_images(experiment, tmp_path, "test", class_names=["cat", "dog"])
