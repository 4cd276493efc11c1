from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, reduction, resource_sharer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo.data.datasets import open_dataset
from densezoo.data.images import ArrayImages
from densezoo.data.layouts.folder import folder_images
from densezoo.data.loading import batches
from densezoo.errors import DatasetError, ImageError
from densezoo.protocols import get_protocol


@dataclass(frozen=True)
class Numbers:
    """How a test asks for batches."""

    batch_size: int
    workers: int


@pytest.mark.parametrize("numbers", [Numbers(64, 0), Numbers(7, 2)], ids=str)
def test_every_image_once_in_order(numbers: Numbers) -> None:
    images = open_dataset("digits", None)
    indices = range(1, 60, 3)
    protocol = get_protocol("digits")
    loaded = list(batches(images, protocol, batch_size=numbers.batch_size, workers=numbers.workers, indices=indices))
    assert torch.cat([batch.indices for batch in loaded]).tolist() == list(indices)
    assert torch.cat([batch.labels for batch in loaded]).tolist() == [images.labels[i] for i in indices]
    pixels = torch.cat([batch.pixels for batch in loaded])
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels[2, 0].numpy(), images.read(7))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_image_is_an_error_that_names_it(
    tmp_path: Path, workers: int, random_image: Callable[..., Image.Image]
) -> None:
    for i in range(5):
        write(tmp_path / str(i % 2) / f"{i}.png", png(random_image(32, 32)))
    write(tmp_path / "1" / "3.png", b"broken")
    images = folder_images(tmp_path, "test", 2, None)
    with pytest.raises(ImageError) as caught:
        list(batches(images, get_protocol("cifar10"), batch_size=2, workers=workers, indices=range(5)))
    assert str(caught.value).startswith(f"{tmp_path}/1/3.png: can't be decoded")
    assert "Traceback" not in str(caught.value)


def test_images_of_several_sizes_need_a_resize(tmp_path: Path, random_image: Callable[..., Image.Image]) -> None:
    write(tmp_path / "0" / "a.png", png(random_image(32, 32)))
    write(tmp_path / "1" / "b.png", png(random_image(40, 32)))
    images = folder_images(tmp_path, "test", 2, None)
    with pytest.raises(DatasetError, match="images of several sizes in one batch.*use a protocol that resizes"):
        list(batches(images, get_protocol("cifar10"), batch_size=2, workers=0, indices=range(2)))
    (batch,) = batches(images, get_protocol("torchvision"), batch_size=2, workers=0, indices=range(2))
    assert batch.pixels.shape == (2, 3, 224, 224)


@dataclass(frozen=True)
class Hangup(ArrayImages):
    """Calls the thread by which this process hands shared memory over, and hangs up, as an interrupted run does."""

    def read(self, index: int) -> np.ndarray:
        duplicate = reduction.DupFd(0)
        assert isinstance(duplicate, resource_sharer.DupFd)  # as between processes that are forked
        connection.Client(duplicate._id[0]).close()  # type: ignore[attr-defined]
        duplicate.detach()  # is served after the other: that one is over then
        return super().read(index)


def test_a_worker_says_nothing_of_a_lost_connection(capfd: pytest.CaptureFixture[str]) -> None:
    images = Hangup("", ["a"], [0], np.zeros((1, 8, 8), np.uint8))
    list(batches(images, get_protocol("digits"), batch_size=1, workers=1, indices=range(1)))
    assert capfd.readouterr().err == ""
