from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loopback import Answer, Server
from small_imagenet import image, tarred, write

from densezoo.data.layouts import given
from densezoo.data.layouts.given import given_images, named_images
from densezoo.errors import DatasetError, ImageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["b/2.png", "b/10.png", "a.PNG", "b/c/d.jpg", "b/note.txt"]):
        write(tmp_path / name, image(number))
    return tmp_path


def test_files_folders_and_patterns_come_in_the_order_in_which_they_are_named(folder: Path) -> None:
    images = named_images([folder / "b/2.png", folder / "b", str(folder / "*.PNG"), str(folder / "**/d.*")])
    expected = ["b/2.png", "b/10.png", "b/c/d.jpg", "a.PNG"]  # a file that was named before comes once
    assert images.ids == [str(folder / name) for name in expected]
    assert [images.read(i) for i in range(4)] == [(folder / name).read_bytes() for name in expected]
    assert images.labels == [0] * 4
    assert images.location_of(1) == str(folder / "b/10.png")


def test_a_file_that_is_named_may_be_called_anything(folder: Path) -> None:
    assert named_images([folder / "b/note.txt"]).read(0) == image(4)


def test_the_members_of_a_tar(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {"y/2.png": image(2), "x/1.png": image(1), "labels.txt": b"1"})
    images = named_images([path])
    assert images.ids == [f"{path}/x/1.png", f"{path}/y/2.png"]
    assert [images.read(0), images.read(1)] == [image(1), image(2)]


def test_standard_input() -> None:
    images = named_images(["-"], image(3))
    assert (images.ids, images.read(0), images.location_of(0)) == (["-"], image(3), "standard input")


def test_pixels_and_bytes() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    images = given_images([("0", pixels), ("1", b"encoded")])
    assert images.read(0) is pixels
    assert images.read(1) == b"encoded"


def test_an_image_of_a_server() -> None:
    with Server([Answer(body=image(5)), Answer(status=404)]) as server:
        images = named_images([f"{server.url}/a.png", f"{server.url}/b.png"])
        assert images.read(0) == image(5)
        with pytest.raises(
            ImageError, match=rf"{server.url}/b\.png: can't be fetched \(Not Found\); check the address"
        ):
            images.read(1)
    with pytest.raises(ImageError, match="can't be fetched .*refused"):
        images.read(0)


def test_what_a_server_sends_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MOST", 10)
    with (
        Server([Answer(body=b"x" * 11)]) as server,
        pytest.raises(ImageError, match="is larger than 10 bytes; fetch it yourself"),
    ):
        named_images([server.url]).read(0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.png", "missing.png: there is no such image, folder or tar"),
        ("*.webp", r"\*.webp: no images found; expected files that end in .jpg, "),
        ("empty", "empty: no images found"),
        ("empty.tar", "empty.tar: no images found"),
    ],
)
def test_what_names_no_image_is_refused(
    tmp_path: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    tarred(Path("empty.tar"), {})
    with pytest.raises(DatasetError, match=message):
        named_images([name])


def test_a_file_that_goes_away(folder: Path) -> None:
    images = named_images([folder / "a.PNG"])
    (folder / "a.PNG").unlink()
    with pytest.raises(ImageError, match=r"a\.PNG: can't be read \(No such file or directory\)"):
        images.read(0)
