from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from densezoo.data.layouts.folder import FolderImages, folder_images, list_tar, tar_images
from densezoo.errors import DatasetError, ImageError

Maker = Callable[[str, dict[str, list[str]]], Path]


@pytest.fixture
def folder(tmp_path: Path, random_image: Callable[..., Image.Image]) -> Maker:
    """folder(prefix, {class: [file]}) -> root with images of 4x3 pixels."""

    def make(prefix: str, classes: dict[str, list[str]]) -> Path:
        for i, (name, files) in enumerate(classes.items()):
            where = tmp_path / "root" / prefix / name
            where.mkdir(parents=True, exist_ok=True)
            for j, file in enumerate(files):
                random_image(4, 3, seed=10 * i + j).save(where / file, "PNG")
        return tmp_path / "root"

    return make


def tarred(root: Path, path: Path, mode: Literal["w", "w:gz"] = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        tar.add(root, arcname=".")
    return path


TWO = {"cat": ["b.png", "a.PNG"], "ant": ["c.jpeg"]}


@pytest.mark.parametrize("prefix", ["", "val", "test", "data/val"])
def test_a_folder_of_classes(folder: Maker, prefix: str) -> None:
    root = folder(prefix, TWO)
    (root / prefix / "cat" / "notes.txt").write_text("no image")
    images = folder_images(root, "test", 2, None)
    assert list(images.ids) == ["ant/c.jpeg", "cat/a.PNG", "cat/b.png"]
    assert list(images.labels) == [0, 1, 1]
    assert images.read(0) == (root / prefix / "ant" / "c.jpeg").read_bytes()
    assert images.location_of(0) == str(root / prefix / "ant" / "c.jpeg")


def test_a_tar_is_the_same_set_as_its_folder(folder: Maker, tmp_path: Path) -> None:
    root = folder("test", TWO)
    from_folder = folder_images(root, "test", 2, None)
    from_tar = tar_images(list_tar(tarred(root, tmp_path / "images.tar")), "test", 2, None)
    assert (from_tar.ids, from_tar.labels) == (from_folder.ids, from_folder.labels)
    assert [from_tar.read(i) for i in range(3)] == [from_folder.read(i) for i in range(3)]
    assert from_tar.fingerprint() == from_folder.fingerprint()


def test_the_fingerprint_sees_ids_labels_and_contents(folder: Maker, tmp_path: Path) -> None:
    root = folder("", TWO)
    before = folder_images(root, "test", 2, None)
    prints = {before.fingerprint()}
    prints.add(FolderImages(before.location, before.ids, [1, 1, 0], before.paths).fingerprint())
    prints.add(FolderImages(before.location, ["x", *before.ids[1:]], before.labels, before.paths).fingerprint())
    content = bytearray(Path(before.paths[1]).read_bytes())
    content[-1] ^= 1  # the size stays
    Path(before.paths[1]).write_bytes(content)
    prints.add(folder_images(root, "test", 2, None).fingerprint())
    assert len(prints) == 4


def test_the_split_is_chosen_by_name(folder: Maker) -> None:
    folder("train", {"cat": ["a.png"], "ant": ["b.png"]})
    root = folder("val", TWO)
    assert len(folder_images(root, "test", 2, None)) == 3
    assert len(folder_images(root, "train", 2, None)) == 2


def test_a_train_folder_alone_is_not_the_validation_set(folder: Maker) -> None:
    root = folder("train", TWO)
    with pytest.raises(DatasetError, match="expected one folder named val or test or validation.*found.*train"):
        folder_images(root, "test", 2, None)


def test_known_names_give_their_own_labels_also_when_classes_are_absent(folder: Maker) -> None:
    names = ["zebra", "cat", "dog", "ant"]
    images = folder_images(folder("", TWO), "test", 4, names)
    assert list(images.labels) == [3, 1, 1]


def test_another_number_of_classes_is_refused(folder: Maker) -> None:
    with pytest.raises(DatasetError, match="expected 5 class folders; found 2: ant, cat"):
        folder_images(folder("", TWO), "test", 5, None)
    with pytest.raises(DatasetError, match="expected 3 class folders or folders named x ... z; found 2: ant, cat"):
        folder_images(folder("", TWO), "test", 3, ["x", "y", "z"])


def test_a_compressed_tar_is_refused(folder: Maker, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder or an uncompressed tar"):
        list_tar(tarred(folder("", TWO), tmp_path / "images.tar.gz", "w:gz"))


def test_a_truncated_tar_is_refused(folder: Maker, tmp_path: Path) -> None:
    path = tarred(folder("", TWO), tmp_path / "images.tar")
    with tarfile.open(path) as tar:
        last = max((m for m in tar if m.isfile()), key=lambda m: m.offset_data)
    path.write_bytes(path.read_bytes()[: last.offset_data + 5])
    with pytest.raises(DatasetError, match="truncated|uncompressed tar"):
        list_tar(path)


def test_a_file_that_vanished_is_named(folder: Maker) -> None:
    images = folder_images(folder("", TWO), "test", 2, None)
    Path(images.paths[0]).unlink()
    with pytest.raises(ImageError, match=r"ant/c.jpeg: can't be read \(No such file or directory\)"):
        images.read(0)


def test_links_in_a_tar_are_no_images(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as tar:
        for name in ("a/x.png", "b/y.png"):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info, io.BytesIO())
    with pytest.raises(DatasetError, match="no images found"):
        tar_images(list_tar(tmp_path / "links.tar"), "test", 2, None)
