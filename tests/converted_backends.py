"""What the backends have in common that run a converted network."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from examples import randomise_statistics

from densezoo.backends.base import create_backend, difference_from_eager
from densezoo.errors import BackendError
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol

SMALL = DenseNetArchitecture(6, (2, 3), 10, num_classes=7)
VARIANTS: dict[str, dict[str, Any]] = {
    **{stem: {"stem": stem} for stem in STEMS},
    "without a bottleneck": {"bn_size": None, "bn_eps": 1e-3},
    "max pools, incomplete windows": {"transition_pool": "max", "ceil_mode": True},
    "incomplete windows": {"ceil_mode": True},
    "blurred": {"aa_layer": "blurpool", "aa_stem_only": False},
    "TensorFlow's padding": {"stem_padding": "same", "pool_padding": "same"},
    "its own head": {"stem": "cifar", "head_pool": 15},
}


def check_variant(backend: str, variant: str, protocol: str = "torchvision") -> None:
    """Compare logits with eager's, of images of two odd sizes, in groups of several numbers.

    Raises:
        EvaluationError: they differ by more than the backend may.
    """
    arch = dataclasses.replace(SMALL, **VARIANTS[variant])
    network = randomise_statistics(DenseNet(arch))
    eager, other = (
        create_backend(name, network, arch, get_protocol(protocol), "cpu", "float32") for name in ("eager", backend)
    )
    generator = torch.Generator().manual_seed(2)
    for number, height, width in ((1, 30, 31), (37, 30, 31)) if arch.head_pool else ((37, 35, 46), (1, 64, 51)):
        pixels = torch.randint(0, 256, (number, 3, height, width), dtype=torch.uint8, generator=generator)
        floats = get_protocol(protocol).float_pixels
        difference_from_eager(other, eager, pixels.float() / 255 if floats else pixels)
    assert (other.name, other.precision, other.concurrent) == (backend, "float32", False)


def check_device(backend: str) -> None:
    """Another device than the CPU is refused."""
    network = DenseNet(SMALL).eval()
    with pytest.raises(BackendError, match=f"backend {backend} computes on the CPU alone, and not on cuda:1"):
        create_backend(backend, network, SMALL, get_protocol("torchvision"), "cuda:1", "float32")
