from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.data.class_folders import check_folders, class_folders, labelled_by_folder
from densezoo.data.datasets import open_dataset
from densezoo.data.images import ImageSet
from densezoo.errors import DatasetError


def opened(root: Path, *names: str) -> ImageSet:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return open_dataset("imagefolder", root, "train")


def test_names_are_the_folders(tmp_path: Path) -> None:
    images = opened(tmp_path, "train/dog/1.png", "train/cat/1.png", "val/dog/1.png")
    assert class_folders(images) == ("cat", "dog")


def test_numbered_folders_are_in_the_numbers_order(tmp_path: Path) -> None:
    """As labels they have their places: a network of three classes has no class 10."""
    images = opened(tmp_path, "10/1.png", "2/1.png", "1/1.png")
    assert class_folders(images) == ("1", "2", "10")
    labelled = labelled_by_folder(images, class_folders(images))
    assert dict(zip(labelled.ids, labelled.labels)) == {"1/1.png": 0, "2/1.png": 1, "10/1.png": 2}


def test_a_set_without_some_classes_keeps_the_labels(tmp_path: Path) -> None:
    images = labelled_by_folder(opened(tmp_path, "cat/1.png", "eel/1.png"), ("cat", "dog", "eel"))
    assert images.labels == [0, 2]
    assert images.read(1) == b"eel/1.png"
    turned = labelled_by_folder(images, ("eel", "cat"))
    assert [(label, turned.read(i)) for i, label in enumerate(turned.labels)] == [(1, b"cat/1.png"), (0, b"eel/1.png")]


def test_a_folder_that_is_no_class(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"the class folders cow are none of the network's 1 classes \(cat\)"):
        labelled_by_folder(opened(tmp_path, "cat/1.png", "cow/1.png"), ("cat",))


def test_folders_of_which_nothing_says_what_classes_they_are(tmp_path: Path) -> None:
    images = opened(tmp_path / "named", "cat/1.png", "dog/1.png")
    check_folders(images, 2)  # in their order
    with pytest.raises(DatasetError, match="expected 3 class folders, .* found 2: cat, dog; .* --class-map"):
        check_folders(images, 3)
    check_folders(opened(tmp_path / "numbered", "0/1.png", "2/1.png"), 3)
