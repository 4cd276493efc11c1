"""Labels by class folders and class maps."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_imagenet import (
    IMAGES,
    class_folders,
    write,
)

from densezoo.data.datasets import open_dataset
from densezoo.data.labels import check_labels, label_files, read_class_map
from densezoo.errors import DatasetError


def test_folders_that_count_from_one(tmp_path: Path) -> None:
    for label in range(1, 11):
        write(tmp_path / str(label) / "x.png", IMAGES[0])
    with pytest.raises(DatasetError, match="10: label 10 is out of range; expected 0 to 9: no label is 0, so these"):
        open_dataset("cifar10", tmp_path)


def test_a_folder_that_is_no_class_among_those_that_are(tmp_path: Path) -> None:
    class_folders(tmp_path)
    write(tmp_path / "n01440764 (copy)" / "x.JPEG", IMAGES[0])
    with pytest.raises(DatasetError, match=r"found 5: .*; not among the known names: n01440764 \(copy\)"):
        open_dataset("imagenet1k", tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("map.txt", "dog\ncat\nant\n"), ("map.txt", "ant 2\ncat 1\ndog 0\n"), ("map.json", '{"dog":0,"cat":1,"ant":2}')],
)
def test_any_folder_of_classes_with_a_class_map(tmp_path: Path, name: str, text: str) -> None:
    for folder in ("ant", "cat", "dog"):
        write(tmp_path / "val" / folder / "x.png", IMAGES[0])
    path = write(tmp_path / name, text)
    assert list(open_dataset("imagefolder", tmp_path, class_map=path).labels) == [2, 1, 0]
    assert list(open_dataset("imagefolder", tmp_path).labels) == [0, 1, 2]
    write(tmp_path / "val" / "emu" / "x.png", IMAGES[0])
    with pytest.raises(DatasetError, match="not among the known names: emu"):
        open_dataset("imagefolder", tmp_path, class_map=path)


@pytest.mark.parametrize(
    ("name", "text"), [("m.txt", "a x\n"), ("m.json", "[1]"), ("m.json", '{"a": "0"}'), ("m.txt", "a\na\n")]
)
def test_what_is_no_class_map(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / "images" / "a" / "x.png", IMAGES[0])
    with pytest.raises(DatasetError, match=f"{name}: no class map"):
        open_dataset("imagefolder", tmp_path / "images", class_map=write(tmp_path / name, text))


def test_numbers_are_labels() -> None:
    files = label_files(["10/a.png", "9/b.png", "2/c.png"], "root", "test", 11, None)
    assert {file.id: file.label for file in files} == {"10/a.png": 10, "9/b.png": 9, "2/c.png": 2}


def test_a_number_out_of_range_is_named() -> None:
    with pytest.raises(DatasetError, match="root/10: label 10 is out of range; expected 0 to 9"):
        label_files(["10/a.png", "9/b.png"], "root", "test", 10, None)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_named(label: int) -> None:
    with pytest.raises(DatasetError, match=f"b: label {label} is out of range; expected 0 to 2"):
        check_labels([0, label, 2], ["a", "b", "c"], 3)


@pytest.mark.parametrize("names", [[], ["readme.txt"], ["a.png"], ["cat/notes.txt"]])
def test_no_images(names: list[str]) -> None:
    with pytest.raises(DatasetError, match="root: no images found; expected <class>/<file>"):
        label_files(names, "root", "test", 2, None)


NAMES = st.text("abcdefXYZ_-", min_size=1, max_size=6)


@given(st.sets(st.tuples(NAMES, st.text("xyz019", min_size=1, max_size=4)), min_size=1, max_size=20), st.randoms())
def test_folders_have_the_labels_of_their_sorted_names(images: set[tuple[str, str]], order: random.Random) -> None:
    names = [f"data/{folder}/{stem}.png" for folder, stem in images]
    order.shuffle(names)
    classes = sorted({folder for folder, _ in images})
    files = label_files(names, "root", "test", len(classes), None)
    expected = sorted((f"{folder}/{stem}.png", classes.index(folder)) for folder, stem in images)
    assert [(file.id, file.label) for file in files] == expected
    assert all(names[file.position] == f"data/{file.id}" for file in files)


@given(st.dictionaries(NAMES, st.integers(0, 999), max_size=10))
def test_a_class_map_there_and_back(labels: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text, listed = Path(folder, "map.txt"), Path(folder, "map.json")
        text.write_text("".join(f"{name}\t{label}\n\n" for name, label in labels.items()))
        listed.write_text(json.dumps(labels))
        assert read_class_map(text) == read_class_map(listed) == labels
        text.write_text("\n".join(labels))  # without numbers: the line's
        assert read_class_map(text) == {name: i for i, name in enumerate(labels)}
