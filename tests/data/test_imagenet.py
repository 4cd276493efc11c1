"""The evaluation sets around ImageNet: wnids, subsets of classes, the reassessed labels, training images refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_imagenet import (
    IMAGES,
    WNIDS,
    class_folders,
    write,
)
from timm.data.imagenet_info import ImageNetInfo

from densezoo.data import imagenet
from densezoo.data.datasets import open_dataset
from densezoo.errors import DatasetError


def test_a_train_folder_given_for_the_validation_set(tmp_path: Path) -> None:
    for wnid in WNIDS:
        write(tmp_path / "images" / wnid / f"{wnid}_10026.JPEG", IMAGES[0])
        write(tmp_path / "train" / wnid / "x.JPEG", IMAGES[0])
    with pytest.raises(DatasetError, match=r"these are training images \(n01440764/n01440764_10026\.JPEG\)"):
        open_dataset("imagenet1k", tmp_path / "images")
    assert len(open_dataset("imagenet1k", tmp_path / "images", "train")) == 4
    with pytest.raises(DatasetError, match="is the training set by its name"):
        open_dataset("imagenet1k", tmp_path / "train")


def test_imagenet_a_and_r_let_only_their_classes_compete(tmp_path: Path) -> None:
    for wnid in ("n01498041", "n01531178"):  # stingray, goldfinch: labels 6 and 11
        write(tmp_path / wnid / "0.000116_digital clock _ digital clock_0.865662.jpg", IMAGES[0])
    adversarial = open_dataset("imagenet-a", tmp_path)
    assert list(adversarial.labels) == [6, 11]
    assert adversarial.classes is not None
    assert len(adversarial.classes) == 200
    assert adversarial.classes[:3] == (6, 11, 13)
    rendition = open_dataset("imagenet-r", class_folders(tmp_path / "r"))
    assert len(rendition.classes or ()) == 200
    assert set(rendition.labels) == {1, 2}  # goldfish, great white shark; a tench and a toilet tissue are not in it


def test_the_clean_subsets_are_chosen_from_the_validation_set(tmp_path: Path) -> None:
    whole = open_dataset("imagenet1k", class_folders(tmp_path))
    clean = open_dataset("imagenet-r-clean", tmp_path)
    assert list(clean.labels) == [1, 2]
    for i, name in enumerate(clean.ids):
        j = list(whole.ids).index(name)
        assert (clean.read(i), clean.location_of(i), clean.source(i)) == (
            whole.read(j),
            whole.location_of(j),
            whole.source(j),
        )
    with pytest.raises(DatasetError, match="no image is of one of the 200 classes of imagenet_a"):
        open_dataset("imagenet-a-clean", tmp_path)


def test_imagenet_real_without_a_labelled_image(tmp_path: Path) -> None:
    from timm.data.real_labels import RealLabelsImagenet

    known = RealLabelsImagenet([""] * 50_000).real_labels  # type: ignore[no-untyped-call]
    write(tmp_path / "n01440764" / next(name for name, answers in known.items() if not answers), IMAGES[0])
    with pytest.raises(DatasetError, match="none of the 1 images has a label in ReaL"):
        open_dataset("imagenet-real", tmp_path)


def test_imagenet_real_has_sets_of_labels(tmp_path: Path) -> None:
    """timm's file: image 1 may be 58 alone, image 2 two things, and some images nothing."""
    from timm.data.real_labels import RealLabelsImagenet

    known = RealLabelsImagenet([""] * 50_000).real_labels  # type: ignore[no-untyped-call]
    by_size = {size: next(n for n, answers in known.items() if len(answers) == size) for size in (0, 1, 2, 3)}
    for name in by_size.values():
        write(tmp_path / "n01440764" / name, IMAGES[0])
    images = open_dataset("imagenet-real", tmp_path)
    expected = sorted((name, tuple(sorted(known[name]))) for size, name in by_size.items() if size)
    assert [(Path(name).name, answers) for name, answers in zip(images.ids, images.label_sets or ())] == expected
    assert [answers[0] for _, answers in expected] == list(images.labels)
    assert images.fingerprint() != open_dataset("imagenet1k", tmp_path).fingerprint()
    write(tmp_path / "n01440764" / "mine.JPEG", IMAGES[0])
    with pytest.raises(DatasetError, match=r"mine\.JPEG: ReaL's labels go by the validation set's own file names"):
        open_dataset("imagenet-real", tmp_path)


def test_imagenet_s_names_are_timm_s() -> None:
    assert list(imagenet.wnids()) == ImageNetInfo("imagenet-1k").label_names()  # type: ignore[no-untyped-call]
