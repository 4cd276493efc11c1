"""With its layers computed again in backward an RDNet trains as before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import family_of
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.memory import CheckpointedStage
from densezoo.families.rdnet.network import DenseStage, RDNet

SMALL = RDNetArchitecture((8, 16, 8), (2, 1, 1), 16, downsample=(2,), attention=(1, 2), drop_path_rate=0.5)


def step(mode: str) -> tuple[list[Tensor | None], int]:
    """Gradients of one step, and how many bytes were kept for backward."""
    torch.manual_seed(0)
    network = RDNet(SMALL).train()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(1.0)
    family_of(SMALL).set_memory(network, mode)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network(torch.randn(2, 3, 16, 16)).square().sum()
    loss.backward()
    return [parameter.grad for parameter in network.parameters()], sum(kept.values())


def test_gradients_are_the_plain_network_s_with_less_kept() -> None:
    (expected, plain), (found, less) = step("none"), step("checkpoint")
    torch.testing.assert_close(found, expected)
    assert less < plain


def test_it_can_be_taken_back() -> None:
    network = RDNet(SMALL)
    names = list(network.state_dict())
    family_of(SMALL).set_memory(network, "checkpoint")
    assert {type(m) for m in network.modules() if isinstance(m, DenseStage)} == {CheckpointedStage}
    assert list(network.state_dict()) == names
    family_of(SMALL).set_memory(network, "none")
    assert {type(m) for m in network.modules() if isinstance(m, DenseStage)} == {DenseStage}


def test_what_can_t_be_is_refused() -> None:
    assert list(family_of(SMALL).memory_modes) == ["none", "checkpoint"]
    with pytest.raises(UnknownNameError, match="memory mode 'shared'"):
        family_of(SMALL).set_memory(RDNet(SMALL), "shared")
    with pytest.raises(ConfigError, match="found a Flatten"):
        family_of(SMALL).set_memory(nn.Flatten(), "none")
