"""The exponential moving average of a network's weights (EMA)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = list[Tensor] | tuple[Tensor, ...]


class Average:
    """The moving average of a network in training: torch's `AveragedModel`, with buffers.

    What is averaged: weights, and the running means and variances of batch norms, so that the averaged weights have
    statistics of their kind (timm's EMA does the same). Their counter ``num_batches_tracked`` is the network's own.
    Beginnings count little: after n updates the decay is at most (1 + n) / (10 + n), as TensorFlow's average has it,
    so that a short run's average isn't its random start.

    Args:
        network: to average; not wrapped by DDP or torch.compile. The average begins with its weights of now.
        decay: share of the average that an update keeps, below 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._averaged = AveragedModel(network, multi_avg_fn=self._keep, use_buffers=True)
        self._averaged.module.requires_grad_(False)
        self._averaged.module.eval()
        self._averaged.n_averaged.fill_(1)  # else torch takes the first update whole

    @property
    def network(self) -> nn.Module:
        """The averaged network, in eval mode: what is evaluated and kept."""
        network: nn.Module = self._averaged.module
        return network

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's weights after an optimiser step.

        Args:
            network: the same network, trained further.
        """
        self._averaged.update_parameters(network)

    def state_dict(self) -> dict[str, Tensor]:
        """All that `load_state_dict` needs: averaged tensors, and how many updates there were."""
        return self._averaged.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state.

        Args:
            state: of `state_dict`, of an average of the same network.
        """
        self._averaged.load_state_dict(state)

    def _keep(self, averaged: _Tensors, current: _Tensors, updates: Tensor | int) -> None:
        """Move the average's tensors, all of one dtype, towards the network's."""
        if not averaged[0].is_floating_point():
            torch._foreach_copy_(averaged, current)
            return
        count = int(updates)
        decay = min(self.decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
