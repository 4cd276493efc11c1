from __future__ import annotations

import errno
import multiprocessing
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from densezoo.data.cache import PixelCache
from densezoo.data.images import ArrayImages
from densezoo.data.preprocess import Prepared
from densezoo.data.views import AUGMENTATIONS
from densezoo.errors import DatasetError
from densezoo.protocols import get_protocol

TIMM = get_protocol("timm")


def image(index: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(index)
    return torch.randint(0, 256, (3, 4, 5), generator=generator, dtype=torch.uint8).to(dtype)


def image_set(number: int, first: int = 0) -> ArrayImages:
    pixels = np.arange(first, first + number, dtype=np.uint8).reshape(-1, 1, 1)
    return ArrayImages("", [str(i) for i in range(number)], [0] * number, pixels)


@pytest.fixture
def cache(tmp_path: Path) -> PixelCache:
    return PixelCache(tmp_path / "pixels", image_set(3))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixels_are_made_once(cache: PixelCache, dtype: torch.dtype) -> None:
    made = []

    def make() -> Prepared:
        made.append(1)
        return Prepared(image(1, dtype), True)

    for _ in range(3):
        found, truncated = cache.prepared(1, TIMM, make)
        assert found.dtype == dtype
        assert torch.equal(found, image(1, dtype))
        assert truncated
    assert len(made) == 1
    assert torch.equal(cache.prepared(2, TIMM, lambda: Prepared(image(2, dtype))).pixels, image(2, dtype))


def test_black_pixels_are_an_image_too(cache: PixelCache) -> None:
    cache.prepared(0, TIMM, lambda: Prepared(torch.zeros(3, 4, 5, dtype=torch.uint8)))
    assert not cache.prepared(0, TIMM, lambda: Prepared(image(7))).pixels.any()


def test_a_torn_record_is_made_again(cache: PixelCache) -> None:
    cache.prepared(1, TIMM, lambda: Prepared(image(1)))
    records = np.load(cache.path(TIMM), mmap_mode="r+")
    records[1]["pixels"][0, 0, 0] ^= 1
    records.flush()
    assert torch.equal(cache.prepared(1, TIMM, lambda: Prepared(image(1))).pixels, image(1))


def test_a_record_is_held_to_its_image(cache: PixelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a file has the name of another dataset's, which takes two sets with one fingerprint."""
    cache.prepared(1, TIMM, lambda: Prepared(image(1)))
    other = PixelCache(cache.folder, image_set(3, first=7))
    monkeypatch.setattr(PixelCache, "path", lambda *_: cache.folder / next(cache.folder.iterdir()))
    assert torch.equal(other.prepared(1, TIMM, lambda: Prepared(image(8))).pixels, image(8))
    assert torch.equal(other.prepared(1, TIMM, lambda: Prepared(image(9))).pixels, image(8))


def test_a_file_belongs_to_images_protocol_and_views(cache: PixelCache, tmp_path: Path) -> None:
    others = [
        PixelCache(cache.folder, image_set(3, first=1)),
        PixelCache(cache.folder, image_set(4)),
        PixelCache(cache.folder, image_set(3), AUGMENTATIONS["flip"]),
    ]
    paths = {cache.path(TIMM), cache.path(get_protocol("timm-288")), *(other.path(TIMM) for other in others)}
    assert len(paths) == 5


def test_images_of_several_sizes(cache: PixelCache) -> None:
    cache.prepared(0, TIMM, lambda: Prepared(image(0)))
    with pytest.raises(DatasetError, match="images of several sizes .* use a protocol that resizes"):
        cache.prepared(1, TIMM, lambda: Prepared(torch.zeros(3, 5, 5, dtype=torch.uint8)))


def test_no_room(cache: PixelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DatasetError, match=r"No space left on device, 0\.0 GB are needed\); choose another .* --cache"):
        cache.prepared(0, TIMM, lambda: Prepared(image(0)))
    assert not list(cache.folder.iterdir())


def fill(cache: PixelCache) -> None:
    for index in range(3):
        assert torch.equal(cache.prepared(index, TIMM, lambda: Prepared(image(index))).pixels, image(index))  # noqa: B023


@pytest.mark.parametrize("size", [0, 10, 200, -1])  # in the header, in the records; -1: deleted
def test_a_file_that_is_cut_off_meanwhile_is_filled_anew(cache: PixelCache, size: int) -> None:
    """In a process of its own, which a mapped file would end by SIGBUS; and in one that sees the file only then."""

    def cut_off() -> None:
        fill(cache)
        cache.path(TIMM).unlink() if size < 0 else os.truncate(cache.path(TIMM), size)
        fill(cache)

    for work in (cut_off, partial(fill, cache)):
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join(60)
        assert process.exitcode == 0
    fill(cache)
    assert [path.suffix for path in cache.folder.iterdir()] == [".npy"]


def test_a_disk_that_is_full_meanwhile(cache: PixelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the file had to be filled anew and other files took the room."""
    monkeypatch.setattr(os, "pwrite", lambda *_: 10)
    with pytest.raises(
        DatasetError, match=r"can't be kept .No space left on device.; choose another folder by --cache"
    ):
        fill(cache)


def test_several_processes_fill_one_file(cache: PixelCache) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fill, args=(cache,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    for index in range(3):
        assert torch.equal(cache.prepared(index, TIMM, lambda: Prepared(image(9))).pixels, image(index))
    assert len(list(cache.folder.iterdir())) == 1
