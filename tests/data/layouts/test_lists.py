"""Datasets in the layouts in which they are published, written small; and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from small_imagenet import (
    BY_LABEL,
    EXPECTED,
    IMAGES,
    LABELS,
    NAMES,
    class_folders,
    facts,
    flat,
    tarred,
    write,
)

from densezoo.data.datasets import open_dataset
from densezoo.errors import DatasetError

LISTS = {
    "val.txt": "".join(f"{name} {label}\n" for name, label in reversed(list(zip(NAMES, LABELS)))),
    "imagenet_2012_validation_synset_labels.txt": "".join(f"{BY_LABEL[label]}\n" for label in LABELS),
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "".join(
        f"{Path(n).stem},{BY_LABEL[label]} 1 2 3 4 {BY_LABEL[label]} 5 6 7 8\n" for n, label in zip(NAMES, LABELS)
    ),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("folder", ["", "val"])
def test_a_flat_folder_with_a_list(tmp_path: Path, name: str, folder: str) -> None:
    flat(tmp_path / folder)
    write(tmp_path / name, LISTS[name])
    images = open_dataset("imagenet1k", tmp_path)
    assert facts(images) == EXPECTED
    assert images.fingerprint() == open_dataset("imagenet1k", class_folders(tmp_path / "other")).fingerprint()


def test_a_list_with_labels_alone(tmp_path: Path) -> None:
    write(tmp_path / "labels", "".join(f"{label}\n" for label in LABELS))
    assert facts(open_dataset("imagenet1k", flat(tmp_path / "x"), labels=tmp_path / "labels")) == EXPECTED


@pytest.mark.parametrize("where", ["", "ILSVRC2012_devkit_t12/data"])
def test_the_devkit_s_ground_truth_has_numbers_of_its_own(tmp_path: Path, where: str) -> None:
    number = {0: 4, 1: 2, 2: 1, 999: 3}  # neither alphabetical nor a label plus one
    flat(tmp_path / "val")
    truth = write(
        tmp_path / where / "ILSVRC2012_validation_ground_truth.txt", "".join(f"{number[label]}\n" for label in LABELS)
    )
    with pytest.raises(DatasetError, match=r"the devkit's class numbers, whose order only .*meta\.mat tells"):
        open_dataset("imagenet1k", tmp_path)
    synsets = np.array(
        [(number[label], wnid) for label, wnid in BY_LABEL.items()], dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O")]
    )
    scipy.io.savemat(truth.parent / "meta.mat", {"synsets": synsets})
    assert facts(open_dataset("imagenet1k", tmp_path)) == EXPECTED


def test_the_tar_of_the_validation_set_as_it_is(tmp_path: Path) -> None:
    path = tarred(tmp_path / "ILSVRC2012_img_val.tar", dict(zip(NAMES, IMAGES)))
    write(tmp_path / "val.txt", LISTS["val.txt"])
    from_tar = open_dataset("imagenet1k", path)
    assert facts(from_tar) == EXPECTED
    assert facts(open_dataset("imagenet1k", tmp_path)) == EXPECTED  # and the folder that it lies in
    assert from_tar.fingerprint() == open_dataset("imagenet1k", class_folders(tmp_path / "x")).fingerprint()
    assert "ILSVRC2012_img_val.tar" in from_tar.location_of(0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no list of labels; .* found no line"),
        ("a b c\n", r"no list of labels; .* found 'a b c'"),
        (LISTS["val.txt"].replace(" 999", " 1000"), r"val.txt, line 5: label 1000 is out of range; expected 0 to 999"),
        (
            "".join(f"{name} {label + 1}\n" for name, label in zip(NAMES, LABELS)),
            "label 1000 is out of range.*no label is 0, so these labels seem to count from 1",
        ),
        (LISTS["LOC_val_solution.csv"].replace("n15075141", "n99999999"), "line 1: 'n99999999' is no class of this"),
        (LISTS["val.txt"].replace("00000003", "00000033"), "first image that is not there: ILSVRC2012_val_00000033"),
        (LISTS["val.txt"].splitlines()[0], "1 lines for 5 images; first image that is not in the list: ILSVRC.*0001"),
        ("0\n" * 6, "6 lines for 5 images"),
        (LISTS["val.txt"] * 2, "10 lines for 5 images"),
    ],
)
def test_a_list_that_does_not_fit(tmp_path: Path, text: str, reason: str) -> None:
    flat(tmp_path / "val")
    path = write(tmp_path / "val.txt", text)
    with pytest.raises(DatasetError, match=reason):
        open_dataset("imagenet1k", tmp_path)
    with pytest.raises(DatasetError, match=str(path)):
        open_dataset("imagenet1k", tmp_path / "val", labels=path)


def test_one_folder_and_no_list(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"all images lie in one folder, so nothing tells their classes.*--labels"):
        open_dataset("imagenet1k", flat(tmp_path))
    with pytest.raises(DatasetError, match="all images lie in one folder"):
        open_dataset("cifar10", flat(tmp_path / "x" / "test"))
