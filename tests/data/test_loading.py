from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import connection, reduction, resource_sharer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_imagenet import write
from unusual_images import encoded, photograph

from densezoo.data import decoding, loading
from densezoo.data.cropping import EqualCropper
from densezoo.data.datasets import open_dataset
from densezoo.data.images import ArrayImages
from densezoo.data.jpeg import EqualDecoder
from densezoo.data.layouts.folder import folder_images
from densezoo.data.loading import Faster, batches, batches_by_protocol
from densezoo.data.preprocess import Preprocess
from densezoo.errors import DatasetError, ImageError
from densezoo.protocols import get_protocol, same_kind
from densezoo.types import Protocol


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


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_image_is_an_error_that_names_it(
    tmp_path: Path, workers: int, random_image: Callable[..., Image.Image]
) -> None:
    for i in range(5):
        write(tmp_path / str(i % 2) / f"{i}.png", encoded(random_image(32, 32), "PNG"))
    write(tmp_path / "1" / "3.png", b"broken")
    images = folder_images(tmp_path, "test", 2, None)
    with pytest.raises(ImageError) as caught:
        list(batches(images, get_protocol("cifar10"), batch_size=2, workers=workers, indices=range(5)))
    assert str(caught.value).startswith(f"{tmp_path}/1/3.png: can't be decoded")
    assert "Traceback" not in str(caught.value)


def test_images_of_several_sizes_need_a_resize(tmp_path: Path, random_image: Callable[..., Image.Image]) -> None:
    write(tmp_path / "0" / "a.png", encoded(random_image(32, 32), "PNG"))
    write(tmp_path / "1" / "b.png", encoded(random_image(40, 32), "PNG"))
    images = folder_images(tmp_path, "test", 2, None)
    any_size = replace(get_protocol("cifar10"), image_size=None)
    with pytest.raises(DatasetError, match="images of several sizes in one batch.*use a protocol that resizes"):
        list(batches(images, any_size, batch_size=2, workers=0, indices=range(2)))
    with pytest.raises(ImageError, match=r"b\.png: has 40 x 32 pixels; protocol cifar10 takes images of 32 x 32"):
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


def photographs(root: Path) -> Path:
    for i in range(5):
        write(root / str(i % 2) / f"{i}.png", encoded(photograph(300 + i, 260, seed=i), "PNG"))
    return root


@pytest.mark.parametrize("workers", [0, 2])
def test_each_protocol_s_batch_is_what_it_would_be_alone(tmp_path: Path, workers: int) -> None:
    images = folder_images(photographs(tmp_path), "test", 2, None)
    protocols = same_kind(get_protocol("timm"))
    loaded = list(batches_by_protocol(images, protocols, batch_size=3, workers=workers, indices=range(5)))
    assert [len(batch.indices) for batch in loaded[0]] == [3] * len(protocols)
    for i, protocol in enumerate(protocols):
        alone = list(batches(images, protocol, batch_size=3, workers=0, indices=range(5)))
        for one, several in zip(alone, loaded):
            for field in ("indices", "pixels", "labels"):
                assert torch.equal(getattr(one, field), getattr(several[i], field)), protocol.name
        assert alone[0].pixels.dtype == (torch.float32 if protocol.float_pixels else torch.uint8)
        assert Preprocess(protocol)(images.read(0)).shape[-1] == protocol.crop


def test_a_file_is_decoded_once_a_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def noted(data: bytes, protocol: Protocol, where: str) -> decoding.Decoded:
        seen.append(where)
        return decoding.decode(data, protocol, where)

    monkeypatch.setattr(loading, "decode", noted)
    images = folder_images(photographs(tmp_path), "test", 2, None)
    protocols = same_kind(get_protocol("timm"))
    list(batches_by_protocol(images, protocols, batch_size=3, workers=0, indices=[2, 4]))
    decoders = len({(protocol.decoder, protocol.exif) for protocol in protocols})
    assert decoders == 6
    assert seen == [images.location_of(2)] * decoders + [images.location_of(4)] * decoders


def test_faster_ways_are_tried_on_the_first_images(tmp_path: Path) -> None:
    pytest.importorskip("simplejpeg")
    for i in range(12):
        write(tmp_path / str(i % 2) / f"{i}.jpg", encoded(photograph(300 + i, 260, seed=i), "JPEG"))
    write(tmp_path / "0" / "0.jpg", b"broken")
    images, protocols = folder_images(tmp_path, "test", 2, None), [get_protocol("torchvision")]
    faster = Faster(EqualDecoder())
    assert faster.tried(images, protocols, range(12)) == (
        "images: with simplejpeg where equal to the protocol's own libraries"
    )
    wrong = Faster(EqualDecoder(), EqualCropper(lambda *_, **__: torch.zeros((3, 224, 224), dtype=torch.uint8)))
    assert str(wrong.tried(images, protocols, range(12))).endswith(
        "own libraries; not with the native library's resize for images to which it gives other pixels"
    )
    loaded = [
        list(batches_by_protocol(images, protocols, batch_size=3, workers=0, indices=range(1, 12), faster=ways))
        for ways in (None, faster, wrong)
    ]
    for (own,), *others in zip(*loaded):
        assert all(torch.equal(own.pixels, other.pixels) for (other,) in others)
    for path in images.paths:
        Path(path).write_bytes(encoded(photograph(30, 26), "PNG"))
    assert Faster(EqualDecoder()).tried(images, protocols, range(12)) is None
    assert Faster().tried(images, protocols, range(12)) is None


def test_sets_of_labels_are_filled_up() -> None:
    pixels = np.zeros((4, 8, 8), np.uint8)
    sets = [(3,), (1, 4), (2, 5, 6), (7,)]
    images = ArrayImages("x", list("abcd"), [3, 1, 2, 7], pixels, label_sets=sets)
    loaded = batches(images, get_protocol("digits"), batch_size=3, workers=0, indices=range(4))
    assert [batch.labels.tolist() for batch in loaded] == [[[3, -1, -1], [1, 4, -1], [2, 5, 6]], [7]]
