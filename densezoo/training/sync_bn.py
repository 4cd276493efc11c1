"""Batch norms whose statistics are of the batches of all processes together."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn


def synchronised(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with batch norms that take their statistics over all processes; its parameters stay the same ones.

    Args:
        network: densezoo's module.
        device: that it is trained on; torch's own `SyncBatchNorm` is for GPUs alone.
    """
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SynchronisedBatchNorm2d
    return network


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """A batch norm over the equally large batches of all processes, by torch.distributed's sums."""

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return super().forward(images)
        processes, floats = distributed.get_world_size(), images.float()  # under autocast images may be bf16
        mean = _Sum.apply(floats.mean((0, 2, 3))) / processes
        centred = floats - mean[:, None, None]
        variance = _Sum.apply(centred.square().mean((0, 2, 3))) / processes
        self._note(mean.detach(), variance.detach(), processes * images.numel() // images.shape[1])
        scale = self.weight * (variance + self.eps).rsqrt()
        normalised: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalised.to(images.dtype)

    def _note(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards those of a batch of ``count`` pixels, as torch does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class _Sum(torch.autograd.Function):
    """The sum over all processes, of values and of their gradients."""

    @staticmethod
    def forward(_: object, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total
