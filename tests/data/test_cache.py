from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from densezoo.data.cache import PixelCache
from densezoo.data.protocols import get_protocol
from densezoo.data.views import AUGMENTATIONS
from densezoo.errors import DatasetError

TIMM = get_protocol("timm")


def image(index: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(index)
    return torch.randint(0, 256, (3, 4, 5), generator=generator, dtype=torch.uint8).to(dtype)


@pytest.fixture
def cache(tmp_path: Path) -> PixelCache:
    return PixelCache(tmp_path / "pixels", "f" * 64, 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixels_are_made_once(cache: PixelCache, dtype: torch.dtype) -> None:
    made = []

    def make() -> torch.Tensor:
        made.append(1)
        return image(1, dtype)

    for _ in range(3):
        found = cache.pixels(1, TIMM, make)
        assert found.dtype == dtype
        assert torch.equal(found, image(1, dtype))
    assert len(made) == 1
    assert torch.equal(cache.pixels(2, TIMM, lambda: image(2, dtype)), image(2, dtype))


def test_black_pixels_are_an_image_too(cache: PixelCache) -> None:
    cache.pixels(0, TIMM, lambda: torch.zeros(3, 4, 5, dtype=torch.uint8))
    assert not cache.pixels(0, TIMM, lambda: image(7)).any()


def test_a_torn_record_is_made_again(cache: PixelCache) -> None:
    cache.pixels(1, TIMM, lambda: image(1))
    records = np.load(cache.path(TIMM), mmap_mode="r+")
    records[1]["pixels"][0, 0, 0] ^= 1
    records.flush()
    assert torch.equal(cache.pixels(1, TIMM, lambda: image(1)), image(1))


def test_a_file_belongs_to_images_protocol_and_views(cache: PixelCache, tmp_path: Path) -> None:
    others = [
        PixelCache(cache.folder, "e" * 64, 3),
        PixelCache(cache.folder, "f" * 64, 4),
        PixelCache(cache.folder, "f" * 64, 3, AUGMENTATIONS["flip"]),
    ]
    paths = {cache.path(TIMM), cache.path(get_protocol("timm-288")), *(other.path(TIMM) for other in others)}
    assert len(paths) == 5


def test_images_of_several_sizes(cache: PixelCache) -> None:
    cache.pixels(0, TIMM, lambda: image(0))
    with pytest.raises(DatasetError, match="images of several sizes .* use a protocol that resizes"):
        cache.pixels(1, TIMM, lambda: torch.zeros(3, 5, 5, dtype=torch.uint8))


def test_no_room(cache: PixelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DatasetError, match=r"No space left on device, 0\.0 GB are needed\); choose another .* --cache"):
        cache.pixels(0, TIMM, lambda: image(0))
    assert not list(cache.folder.iterdir())


def fill(cache: PixelCache) -> None:
    for index in range(3):
        assert torch.equal(cache.pixels(index, TIMM, lambda: image(index)), image(index))  # noqa: B023


def test_several_processes_fill_one_file(cache: PixelCache) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fill, args=(cache,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    for index in range(3):
        assert torch.equal(cache.pixels(index, TIMM, lambda: image(9)), image(index))
    assert len(list(cache.folder.iterdir())) == 1
