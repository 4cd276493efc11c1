"""What is made of logits: the same parts in the images' order, whoever decodes and computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import concurrent_backends
import numpy as np
import pytest
import torch

from densezoo.backends import base
from densezoo.backends.base import create_backend
from densezoo.data.images import ArrayImages
from densezoo.data.loading import Batch, Faster
from densezoo.evaluation.evaluator import Logits
from densezoo.evaluation.options import RunOptions
from densezoo.evaluation.stream import stream
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.protocols import get_protocol


def sums(logits: Sequence[Logits], batches: Sequence[Batch]) -> list[tuple[int, float]]:
    (batch,) = batches
    return list(zip(batch.indices.tolist(), logits[0]().sum(1).tolist()))


@pytest.mark.parametrize(
    ("backend", "workers", "tta"),
    [("eager", 0, "flip"), ("eager", 2, None), ("unsteady", 0, None), ("unsteady", 3, "flip")],
)
def test_parts_come_in_the_images_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str, workers: int, tta: str | None
) -> None:
    """The logits of an image's views are summed; the ways to decode that are given are taken, and no others."""
    monkeypatch.setattr("densezoo.evaluation.stream.faster_ways", lambda: pytest.fail("there are given ones"))
    monkeypatch.setattr(base, "BACKENDS", concurrent_backends.entries())
    torch.manual_seed(0)
    arch = DenseNetArchitecture(
        growth_rate=4, block_config=(1,), num_init_features=4, num_classes=3, stem="cifar", in_chans=1
    )
    network = build_model(arch, "densezoo").eval()
    pixels = np.random.default_rng(0).integers(0, 256, (11, 8, 8), np.uint8)
    images = ArrayImages("noise", [str(i) for i in range(11)], [0] * 11, pixels=pixels)
    made = create_backend(backend, network, arch, get_protocol("digits"), "cpu", "float32")
    options = RunOptions(batch_size=4, workers=workers, tta=tta)
    steps = list(stream([made], images, range(1, 11), options, sums, Faster()))
    assert [[index for part in step for index, _ in part] for step in steps] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    expected = create_backend("eager", network, arch, get_protocol("digits"), "cpu", "float32")
    for step in steps:
        for index, total in (pair for part in step for pair in part):
            shown = torch.from_numpy(pixels[index][None, None])
            views = [shown] if tta is None else [shown, shown.flip(3)]
            assert total == pytest.approx(sum(float(expected(view).sum()) for view in views), rel=1e-4)
