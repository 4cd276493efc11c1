"""Images repeated under other names: as many as asked for, each a file of its own."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from densezoo.benchmarks.photographs import image_id, repeat_images, some_images
from densezoo.errors import BenchmarkError


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for name in ("val/cat/a.JPEG", "val/cat/b.png", "val/dog/a.jpg", "val/notes.txt"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_text(name)
    return tmp_path / "source"


def test_a_folder_s_images_are_repeated_in_turn(three: Path, tmp_path: Path) -> None:
    images = repeat_images(three, 7, tmp_path / "new")
    files = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.*"))
    assert files == [
        "val/cat/0000_a.JPEG", "val/cat/0000_b.png", "val/cat/0001_a.JPEG", "val/cat/0001_b.png",
        "val/cat/0002_a.JPEG", "val/dog/0000_a.jpg", "val/dog/0001_a.jpg",
    ]  # fmt: skip
    assert (images / files[2]).read_text() == "val/cat/a.JPEG"
    assert len({(images / name).stat().st_ino for name in files}) == 7


def test_fewer_are_spread_over_the_classes(three: Path, tmp_path: Path) -> None:
    """Of CIFAR's 10,000 test images the first 230 are all airplanes, in which densezoo sees no classes."""
    (three / "val/dog/b.jpg").write_text("fourth")
    images = repeat_images(three, 2, tmp_path / "new")
    assert sorted(path.parent.name for path in images.rglob("*.*")) == ["cat", "dog"]


def test_some_of_them_have_the_same_names(three: Path, tmp_path: Path) -> None:
    images = repeat_images(three, 9, tmp_path / "all")
    some = some_images(images, 4, tmp_path / "few")
    names = {path.relative_to(some).as_posix() for path in some.rglob("*.*")}
    assert len(names) == 4
    assert {name.split("/")[1] for name in names} == {"cat", "dog"}
    assert names < {path.relative_to(images).as_posix() for path in images.rglob("*.*")}


def test_a_tar_is_unpacked(three: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(three, "x")
    images = repeat_images(tmp_path / "a.tar", 4, tmp_path / "new")
    assert len(list(images.rglob("*.*"))) == 4


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"expected images in class folders .*found none"):
        repeat_images(tmp_path, 1, tmp_path / "new")


def test_programs_name_the_same_image_differently() -> None:
    assert image_id("/tmp/x/val/cat/a.JPEG") == image_id("cat/a.JPEG") == "cat/a.JPEG"
