from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_imagenet import write
from unusual_images import encoded, photograph

from densezoo.data import decoding, loading
from densezoo.data.images import ArrayImages
from densezoo.data.layouts.folder import folder_images
from densezoo.data.loading import batches, batches_by_protocol
from densezoo.data.preprocess import Preprocess
from densezoo.protocols import get_protocol, same_kind
from densezoo.types import Protocol


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
        assert alone[0].pixels.dtype == (torch.float32 if protocol.name == "torch7" else torch.uint8)
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
    assert decoders == 5
    assert seen == [images.where(2)] * decoders + [images.where(4)] * decoders


def test_sets_of_labels_are_filled_up() -> None:
    pixels = np.zeros((4, 8, 8), np.uint8)
    sets = [(3,), (1, 4), (2, 5, 6), (7,)]
    images = ArrayImages("x", list("abcd"), [3, 1, 2, 7], pixels, label_sets=sets)
    loaded = batches(images, get_protocol("digits"), batch_size=3, workers=0, indices=range(4))
    assert [batch.labels.tolist() for batch in loaded] == [[[3, -1, -1], [1, 4, -1], [2, 5, 6]], [7]]


def test_protocols_of_a_kind() -> None:
    assert {protocol.name for protocol in same_kind(get_protocol("cifar10"))} == {
        "cifar10", "cifar100", "cifar-dice", "svhn", "none",
    }  # fmt: skip
    assert [protocol.name for protocol in same_kind(get_protocol("digits"))] == ["digits"]
    assert "torch7" in {protocol.name for protocol in same_kind(get_protocol("torchvision"))}
