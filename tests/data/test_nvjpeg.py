"""Batches that a GPU decodes, on the CPU by the same functions: near the protocol's pixels, and in the same order."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo.data.images import ArrayImages, ImageSet
from densezoo.data.nvjpeg import EncodedImages, decode_files, gpu_batches, prepare
from densezoo.data.preprocess import Preprocess
from densezoo.errors import BackendError, DatasetError, ImageError
from densezoo.protocols import get_protocol

PROTOCOL = get_protocol("torchvision-nvjpeg")
SIZES = [(300, 260), (256, 400), (224, 224)]  # width, height


def photograph(size: tuple[int, int], seed: int, form: str = "JPEG", mode: str = "RGB", detail: int = 5) -> bytes:
    """A smooth picture, as photographs are; of noise every decoder makes something else."""
    small = np.random.default_rng(seed).integers(0, 256, (detail, detail, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).convert(mode).save(stream, form)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["torchvision", "timm", "rdnet"])
def test_pixels_are_near_those_of_the_protocol(name: str) -> None:
    own, near = get_protocol(name), get_protocol(f"{name}-nvjpeg")
    for seed, size in enumerate([*SIZES, (900, 1000)]):
        data = photograph(size, seed, detail=120 if size[0] == 900 else 5)  # shrunk, which shows the filter
        (planes,) = decode_files([data], ["x"], "cpu")
        assert isinstance(planes, torch.Tensor)
        pixels = prepare(planes, near)
        expected = Preprocess(own)(data) * torch.tensor(own.std).view(3, 1, 1) + torch.tensor(own.mean).view(3, 1, 1)
        difference = (pixels - expected * 255 / own.value_range).abs()
        assert pixels.dtype == torch.uint8
        assert difference.mean() < 0.5
        assert difference.max() < 3


def test_channels_are_in_the_protocol_s_order() -> None:
    (planes,) = decode_files([photograph((300, 260), 0)], ["x"], "cpu")
    assert isinstance(planes, torch.Tensor)
    blue_first = prepare(planes, replace(PROTOCOL, channel_order="BGR"))
    assert torch.equal(blue_first, prepare(planes, PROTOCOL)[[2, 1, 0]])


def test_what_is_no_plain_jpeg_is_decoded_by_pillow_and_what_is_broken_says_so() -> None:
    whole = photograph((40, 30), 0)
    files = [photograph((40, 30), 0, "PNG"), b"broken", photograph((40, 30), 0, mode="CMYK"), whole, whole[:-300]]
    png, broken, cmyk, jpeg, cut = decode_files(files, ["a", "b.jpg", "c", "d", "e.jpg"], "cpu")
    for planes in (png, cmyk, jpeg):
        assert isinstance(planes, torch.Tensor)
        assert planes.shape == (3, 30, 40)
    assert isinstance(broken, ImageError)
    assert str(broken).startswith("b.jpg: can't be decoded")
    assert isinstance(cut, ImageError), "Pillow refuses it"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(BackendError, match="decoding on cuda needs an NVIDIA GPU .* choose a protocol without -nvjpeg"):
        decode_files([photograph((40, 30), 0)], ["x"], "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_s_pixels_are_near_the_host_s() -> None:
    files = [photograph(size, seed) for seed, size in enumerate(SIZES)]
    for near, own in zip(decode_files(files, "xyz", "cuda"), decode_files(files, "xyz", "cpu")):
        assert isinstance(near, torch.Tensor)
        assert isinstance(own, torch.Tensor)
        assert near.is_cuda
        assert (prepare(near, PROTOCOL).cpu().float() - prepare(own, PROTOCOL).float()).abs().mean() < 1


@dataclass(frozen=True)
class Files(ImageSet):
    """Encoded files in memory."""

    files: tuple[bytes, ...]

    def read(self, index: int) -> bytes:
        return self.files[index]


def files() -> Files:
    """Five images, the third of which is broken, the fourth a PNG."""
    contents = [photograph(SIZES[i % 3], i, "PNG" if i == 3 else "JPEG") for i in range(5)]
    contents[2] = b"broken"
    return Files("memory", list("abcde"), [4, 3, 2, 1, 0], tuple(contents))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_keep_order_and_labels_and_name_what_is_broken(workers: int) -> None:
    images, other = files(), get_protocol("timm-nvjpeg")
    steps = list(
        gpu_batches(
            images,
            [PROTOCOL, other],
            "cpu",
            batch_size=2,
            workers=workers,
            indices=[4, 3, 2, 1],
            on_error="count-wrong",
        )
    )
    assert [step[0].indices.tolist() for step in steps] == [[4, 3], [2, 1]]
    assert [step[0].labels.tolist() for step in steps] == [[0, 1], [2, 3]]
    assert [step[0].unreadable.tolist() for step in steps] == [[False, False], [True, False]]
    assert "memory: c: can't be decoded" in str(steps[1][0].errors[0])
    for step, indices in zip(steps, ([4, 3], [1])):
        for batch, protocol in zip(step, (PROTOCOL, other)):
            planes = decode_files([images.files[i] for i in indices], "xy", "cpu")
            expected = [prepare(each, protocol) for each in planes if isinstance(each, torch.Tensor)]
            assert torch.equal(batch.pixels, torch.stack(expected))


def test_a_broken_image_stops_the_run() -> None:
    with pytest.raises(ImageError, match="memory: c: can't be decoded"):
        list(gpu_batches(files(), [PROTOCOL], "cpu", batch_size=5, workers=0, indices=range(5)))


def test_pixels_in_memory_are_refused() -> None:
    images = ArrayImages("arrays", ["a"], [0], np.zeros((1, 32, 32, 3), np.uint8))
    assert isinstance(EncodedImages(images, [0])[0], DatasetError)
    with pytest.raises(DatasetError, match="arrays: a: these are pixels, which a GPU needn't decode"):
        list(gpu_batches(images, [PROTOCOL], "cpu", batch_size=1, workers=0, indices=[0]))
