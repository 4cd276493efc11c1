"""Training an RDNet in less memory: each layer's inner tensors are computed again in backward."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families.rdnet.network import DenseStage, RDNet

#: {mode: what of a stage is kept for backward}.
MEMORY_MODES = {"none": "everything, by plain modules", "checkpoint": "the features once"}


def set_memory(network: nn.Module, mode: str) -> None:
    """Change what a network keeps for backward; its tensors, their names and its function stay.

    Args:
        network: an `RDNet`.
        mode: one of MEMORY_MODES.

    Raises:
        UnknownNameError: there is no such mode.
        ConfigError: another builder's network.
    """
    if mode not in MEMORY_MODES:
        raise UnknownNameError("memory mode", mode, MEMORY_MODES)
    if not isinstance(network, RDNet):
        raise ConfigError(f"memory mode {mode!r} is for densezoo's own RDNet; found a {type(network).__qualname__}")
    for module in network.modules():
        if isinstance(module, DenseStage):
            module.__class__ = DenseStage if mode == "none" else CheckpointedStage


class CheckpointedStage(DenseStage):
    """A `DenseStage` that keeps what its layers put out, and computes the rest of each layer again in backward."""

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(checkpoint(partial(_of_all, layer), *features, use_reentrant=False))
        return torch.cat(features, 1)


def _of_all(layer: nn.Module, *features: Tensor) -> Tensor:
    """A layer's output; `checkpoint` counts the tensors of its arguments, not those of a list, as kept."""
    new: Tensor = layer([*features])
    return new
