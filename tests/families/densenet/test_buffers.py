"""In one buffer a block a DenseNet computes what its module does."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from examples import randomise_statistics
from torch import nn

from densezoo.families import family_of
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture
from densezoo.families.densenet.buffers import in_buffers
from densezoo.families.densenet.network import DenseNet
from densezoo.families.rdnet.architecture import RDNetArchitecture

SMALL = DenseNetArchitecture(6, (2, 3, 1), 10, num_classes=7)
VARIANTS: dict[str, dict[str, object]] = {
    "plain": {},
    "without a bottleneck": {"bn_size": None, "reduction": 1.0},
    "max pools": {"transition_pool": "max"},
    "incomplete windows": {"ceil_mode": True},
    "blurred": {"aa_layer": "blurpool", "aa_stem_only": False},
    "other epsilon and dropout": {"bn_eps": 1e-3, "drop_rate": 0.3},
    "TensorFlow's padding": {"stem_padding": "same", "pool_padding": "same"},
    "its own head": {"head_pool": 2},
}


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_logits_are_the_module_s(stem: str, variant: str) -> None:
    arch = dataclasses.replace(SMALL, stem=stem, **VARIANTS[variant])  # type: ignore[arg-type]
    network = randomise_statistics(DenseNet(arch)).to(torch.float64)
    unit = 4 * STEMS[arch.stem].reduction
    sides = [(2 * unit, 2 * unit)] if arch.head_pool else [(unit + 3, 2 * unit + 1), (2 * unit, unit)]
    for (height, width), number in itertools.product(sides, (1, 3)):
        images = torch.randn(number, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        with torch.inference_mode():
            expected = network(images)
            for form in (torch.contiguous_format, torch.channels_last):
                logits = in_buffers(network.to(memory_format=form), arch)(images.contiguous(memory_format=form))
                torch.testing.assert_close(logits, expected, rtol=1e-12, atol=1e-12)


def test_it_concatenates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = randomise_statistics(DenseNet(SMALL))
    forward = in_buffers(network, SMALL)
    monkeypatch.delattr(torch, "cat")
    with torch.inference_mode():
        assert forward(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


def test_the_network_stays_as_it_is() -> None:
    """Its weights are neither changed nor held by the gradients of what follows."""
    network = randomise_statistics(DenseNet(SMALL))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    forward = in_buffers(network, SMALL)
    with torch.inference_mode():
        forward(torch.randn(1, 3, 64, 64))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    network(torch.randn(1, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_network_of_another_builder_or_family_is_returned() -> None:
    other = nn.Flatten()
    assert in_buffers(other, SMALL) is other
    arch = RDNetArchitecture()
    assert family_of(arch).in_buffers(other, arch) is other
