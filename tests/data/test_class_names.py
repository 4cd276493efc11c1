"""The shipped names of classes, held to the lists of those who are named as their sources."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from timm.data.imagenet_info import ImageNetInfo
from torchvision.models._meta import _IMAGENET_CATEGORIES

from densezoo.data import class_names
from densezoo.data.class_names import DIGITS, cifar_classes, imagenet_classes, read_class_names
from densezoo.data.datasets import DATASETS, called
from densezoo.errors import ConfigError

TEXTS = sorted((Path(class_names.__file__).parent / "classes").glob("*.txt"))


def test_imagenet_s_names_are_torchvision_s_and_its_folders_timm_s() -> None:
    folders, names = imagenet_classes()
    info = ImageNetInfo()
    assert list(names) == _IMAGENET_CATEGORIES
    assert list(folders) == info.label_names()  # type: ignore[no-untyped-call]


def test_names_and_folders_belong_together() -> None:
    """timm says what each folder is called by itself; torchvision tells cranes and maillots apart by a word more."""
    info = ImageNetInfo()
    folders, names = imagenet_classes()
    apart = {
        name: info.label_name_to_description(folder, detailed=False)
        for folder, name in zip(folders, names)
        if name not in info.label_name_to_description(folder, detailed=False).split(", ")
    }
    assert apart == {"crane bird": "crane", "maillot tank suit": "maillot, tank suit"}


@pytest.mark.parametrize("number", [10, 100])
def test_cifar_s_names_are_mmpretrain_s(number: int) -> None:
    package = find_spec("mmpretrain")
    assert package is not None
    assert package.origin is not None
    lists = runpy.run_path(str(Path(package.origin).parent / "datasets" / "categories.py"))
    assert cifar_classes(number) == tuple(lists[f"CIFAR{number}_CATEGORIES"])
    assert sorted(cifar_classes(number)) == list(cifar_classes(number))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_file_names_its_source_and_licence(path: Path) -> None:
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert "Apache-2.0" in " ".join(comments)


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"imagefolder"}))
def test_every_dataset_names_its_classes(name: str) -> None:
    names: Sequence[str] = DATASETS[name].names()  # type: ignore[misc]
    assert len(names) == len(set(names)) == DATASETS[name].num_classes


@pytest.mark.parametrize(
    ("dataset", "label", "words"),
    [
        ("cifar10", 8, "8 (ship)"),
        ("imagenet-a", 0, "0 (tench)"),
        ("svhn", 3, "3"),
        ("imagefolder", 3, "3"),
        ("of another time", 3, "3"),
    ],
)
def test_how_a_class_is_called(dataset: str, label: int, words: str) -> None:
    assert called(dataset, label) == words
    assert DIGITS[3] == "3"


def test_a_user_s_own_names(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("great white shark\n\n  tench \n")
    assert read_class_names(tmp_path / "names.txt") == ("great white shark", "tench")
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    assert read_class_names(tmp_path) == ("a", "b")
    (tmp_path / "train/z").mkdir(parents=True)
    assert read_class_names(tmp_path) == ("z",)


def test_what_holds_no_names(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "empty").touch()
    for name, message in [
        ("missing", "missing: class names can't be read"),
        ("binary", "class names can't be read"),
        ("empty", "empty: no class names found; expected a file of a name a line, a folder of class folders"),
    ]:
        with pytest.raises(ConfigError, match=message):
            read_class_names(tmp_path / name)
