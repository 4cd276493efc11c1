from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_imagenet import (
    IMAGES,
    write,
)

from densezoo.data import imagenet
from densezoo.data.datasets import DATASETS, open_dataset
from densezoo.errors import DatasetError, UnknownNameError


def test_imagenet_folders_are_known_by_their_wnid(tmp_path: Path) -> None:
    for wnid in ("n01440764", "n01443537", "n15075141"):  # the first two classes and the last
        (tmp_path / "val" / wnid).mkdir(parents=True)
        (tmp_path / "val" / wnid / "x.JPEG").write_bytes(b"")
    images = open_dataset("imagenet1k", tmp_path)
    assert list(images.labels) == [0, 1, 999]


def test_a_root_that_isn_t_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing: there is no such file or folder; --data-root must be a folder"):
        open_dataset("cifar10", tmp_path / "missing")
    with pytest.raises(DatasetError, match="cifar10 needs --data-root: a folder with cifar-10-batches-py/"):
        open_dataset("cifar10", None)


def test_names() -> None:
    assert all(name == dataset.name for name, dataset in DATASETS.items())
    with pytest.raises(UnknownNameError, match="there is no dataset 'cifr10'; did you mean 'cifar10'"):
        open_dataset("cifr10", None)


def test_imagenet_v2_s_folders_are_numbers(tmp_path: Path) -> None:
    for label in (10, 9, 2, 999):
        write(tmp_path / str(label) / "0af3f1b55de791c4144e2fb6d7dfe96dfc22d3fc.jpeg", IMAGES[0])
    images = open_dataset("imagenetv2-matched-frequency", tmp_path)
    assert sorted(images.labels) == [2, 9, 10, 999]
    assert all(name.split("/")[0] == str(label) for name, label in zip(images.ids, images.labels))


def test_imagenet_sketch(tmp_path: Path) -> None:
    write(tmp_path / "sketch" / "n15075141" / "sketch_0.JPEG", IMAGES[0])
    assert list(open_dataset("imagenet-sketch", tmp_path / "sketch").labels) == [999]


def test_every_published_dataset_has_its_name() -> None:
    names = {
        "imagenet1k", "imagenet-real", "imagenetv2-matched-frequency", "imagenet-sketch", "imagenet-a", "imagenet-r",
        "imagenet-a-clean", "imagenet-r-clean", "cifar10", "cifar100", "cifar10.1", "svhn", "digits",
    }  # fmt: skip
    assert names <= set(DATASETS)
    assert len(imagenet.wnids()) == 1000
    assert json.dumps(imagenet.wnids()[0]) == '"n01440764"'
