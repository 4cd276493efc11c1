from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from small_imagenet import tarred

from densezoo.data import contents
from densezoo.data.contents import content_digests, verified
from densezoo.data.datasets import open_dataset
from densezoo.data.images import ChosenImages, ImageSet
from densezoo.data.layouts.folder import FolderImages, folder_images
from densezoo.errors import DatasetError, ImageError


@pytest.fixture(autouse=True)
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once, in a cache of the test's own."""
    monkeypatch.setattr(contents, "SETTLED", -1.0)
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))


@pytest.fixture
def images(tmp_path: Path) -> FolderImages:
    for i in range(5):
        path = tmp_path / "set" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([i]) * 100)
    return folder_images(tmp_path / "set", "test", 2, None)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the images that are read from now on."""
    found: list[int] = []
    original = FolderImages.read

    def noted(self: FolderImages, index: int) -> bytes:
        found.append(index)
        return original(self, index)

    monkeypatch.setattr(FolderImages, "read", noted)
    return found


def test_an_unchanged_tree_is_read_once(images: FolderImages, read: list[int]) -> None:
    first = content_digests(images)
    assert sorted(read) == list(range(5))
    done: list[int] = []
    assert np.array_equal(content_digests(images, done.append), first)
    assert len(read) == 5
    assert sum(done) == 5
    assert verified(images, first).fingerprint() == images.fingerprint()


def test_a_changed_file_is_seen_whatever_its_size_and_time(images: FolderImages) -> None:
    before = content_digests(images)
    path = Path(images.paths[3])
    stat = path.stat()
    path.write_bytes(bytes([77]) * 100)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    changed = (content_digests(images) != before).any(axis=1)
    assert changed.tolist() == [i == 3 for i in range(5)]


def test_what_changed_just_now_is_not_remembered(
    images: FolderImages, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could change once more under the same time stamp."""
    monkeypatch.setattr(contents, "SETTLED", 3600.0)
    content_digests(images)
    content_digests(images)
    assert len(read) == 10


def test_what_changes_while_it_is_hashed_is_not_remembered(
    images: FolderImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FolderImages.read

    def changing(self: FolderImages, index: int) -> bytes:
        content = original(self, index)
        if index == 4:
            Path(self.paths[0]).write_bytes(b"other")
        return content

    monkeypatch.setattr(FolderImages, "read", changing)
    content_digests(images)
    monkeypatch.undo()
    assert bytes(content_digests(images)[0]) == images.digest(0)


@pytest.mark.parametrize("damage", ["cut", "flipped", "of another set"])
def test_broken_memory_is_made_again(images: FolderImages, tmp_path: Path, damage: str) -> None:
    expected = content_digests(images)
    (kept,) = (tmp_path / "home" / "digests").iterdir()
    content = bytearray(kept.read_bytes())
    if damage == "cut":
        content = content[:-32]
    elif damage == "flipped":
        content[-40] ^= 1
    else:
        shutil.copytree(tmp_path / "set", tmp_path / "other")
        (tmp_path / "other" / "a" / "0.png").write_bytes(b"0")
        content_digests(folder_images(tmp_path / "other", "test", 2, None))
        (other,) = set((tmp_path / "home" / "digests").iterdir()) - {kept}
        content = bytearray(other.read_bytes())
    kept.write_bytes(content)
    assert np.array_equal(content_digests(images), expected)


def test_without_a_place_to_remember_it_works_all_the_same(
    images: FolderImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "file"))
    assert bytes(content_digests(images)[1]) == images.digest(1)


def test_images_are_held_to_their_digests(images: FolderImages) -> None:
    known: ImageSet = verified(images, content_digests(images))
    assert [known.read(i) for i in range(5)] == [images.read(i) for i in range(5)]
    Path(images.paths[2]).write_bytes(b"other")
    with pytest.raises(DatasetError, match="is no longer what it was when the run began .expected the sha256"):
        known.read(2)
    Path(images.paths[2]).unlink()
    with pytest.raises(DatasetError, match="can't be read any more .*No such file"):
        known.read(2)


def test_what_never_could_be_read_is_that_image_s_error(images: FolderImages) -> None:
    Path(images.paths[2]).unlink()
    Path(images.paths[2]).mkdir()
    digests = content_digests(images)
    assert not digests[2].any()
    with pytest.raises(ImageError, match="can't be read"):
        verified(images, digests).read(2)
    Path(images.paths[2]).rmdir()
    Path(images.paths[2]).write_bytes(b"now")
    with pytest.raises(DatasetError, match="couldn't be read when the run began, and can be now; start again"):
        verified(images, digests).read(2)


def test_a_passing_error_is_not_remembered(images: FolderImages, monkeypatch: pytest.MonkeyPatch) -> None:
    original = FolderImages.read

    def failing(self: FolderImages, index: int) -> bytes:
        if index == 2:
            raise ImageError("Input/output error")
        return original(self, index)

    monkeypatch.setattr(FolderImages, "read", failing)
    assert not content_digests(images)[2].any()
    monkeypatch.undo()
    monkeypatch.setattr(contents, "SETTLED", -1.0)
    assert bytes(content_digests(images)[2]) == images.digest(2)


def test_a_part_of_a_set_is_the_same_tree(
    images: FolderImages, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = content_digests(images)
    part = ChosenImages(images.location, ["x", "y"], [0, 0], images, [3, 1])
    assert np.array_equal(content_digests(part), whole[[3, 1]])
    monkeypatch.chdir(Path(images.location).parent)
    content_digests(folder_images(Path("set"), "test", 2, None))
    assert len(read) == 5


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_an_archive_that_is_replaced_while_it_is_hashed(images: FolderImages, tmp_path: Path, kind: str) -> None:
    """Its labels were listed before; and a replaced file is read anew in the same process."""

    def write(order: int) -> Path:
        rows = [Path(path).read_bytes() for path in images.paths][::order]
        if kind == "tar":
            names = [f"{label}/{i}.png" for i, label in enumerate(images.labels)]
            return tarred(tmp_path / "set.tar", dict(zip(names, rows)))
        table = {"image": [{"bytes": content, "path": None} for content in rows], "label": list(images.labels)}
        pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "set.parquet")
        return tmp_path / "set.parquet"

    opened = open_dataset("imagefolder", write(1))
    before = content_digests(opened)
    write(-1)
    with pytest.raises(DatasetError, match=f"set.{kind}: has changed since its images were listed"):
        content_digests(opened)
    assert np.array_equal(content_digests(open_dataset("imagefolder", tmp_path / f"set.{kind}")), before[::-1])
