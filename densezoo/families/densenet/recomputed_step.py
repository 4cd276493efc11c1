"""Norm, ReLU and convolution as one step, whose backward computes norm and ReLU again, a few images at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

AT_ONCE = 2**24  # bytes of features that a CPU handles at a time, so that they stay in its caches
LAST = torch.channels_last


@dataclass
class Modules:
    """Norm, ReLU, perhaps a pool, convolution and dropout, as modules.

    Args:
        norm, conv: the modules.
        drop_rate: share of the outputs that become zero.
        pool: an average before a 1x1 convolution.
    """

    norm: nn.BatchNorm2d
    conv: nn.Conv2d
    drop_rate: float
    pool: nn.Module | None = None

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weight and bias of the norm, (C,), and the kernel."""
        return self.norm.weight, self.norm.bias, self.conv.weight

    @property
    def by_batch(self) -> bool:
        """Whether the norm takes its statistics from the batch."""
        return self.norm.training or self.norm.running_mean is None


@dataclass
class Facts:
    """What of a step is no tensor.

    Args:
        eps: of the norm.
        by_batch: whether the norm takes its statistics from the batch.
        padding: of the convolution.
        pool: of `Modules`.
        drop_rate: of `Modules`.
        kind: that the convolution computes in.
        layout: of the plain network's maps, in which dropout draws.
        random: the generator's state before dropout drew; None: it hasn't drawn yet.
    """

    eps: float
    by_batch: bool
    padding: int
    pool: nn.Module | None
    drop_rate: float
    kind: torch.dtype
    layout: torch.memory_format
    random: Tensor | None = None

    def drop(self, x: Tensor) -> Tensor:
        """Dropout, or its gradient: the factors are drawn at the first call, and are the same ones afterwards."""
        if not self.drop_rate:
            return x
        ones = torch.empty(x.shape, dtype=x.dtype, device=x.device, memory_format=self.layout).fill_(1.0)
        cuda = x.device.type == "cuda"
        if self.random is None:
            self.random = torch.cuda.get_rng_state(x.device) if cuda else torch.get_rng_state()
            return x * functional.dropout(ones, self.drop_rate)
        with torch.random.fork_rng([x.device] if cuda else []):
            if cuda:
                torch.cuda.set_rng_state(self.random, x.device)
            else:
                torch.set_rng_state(self.random)
            return x * functional.dropout(ones, self.drop_rate)


class Step(NamedTuple):
    """Norm, ReLU, perhaps a pool, convolution and dropout.

    Args:
        weight, bias: of the norm, (C,).
        kernel: of the convolution.
        mean, var: that the norm takes, (C,).
        facts: the rest.
    """

    weight: Tensor
    bias: Tensor
    kernel: Tensor
    mean: Tensor
    var: Tensor
    facts: Facts

    def normed(self, x: Tensor) -> Tensor:
        """Norm and ReLU: (N, C, H, W) -> the same shape."""
        normed: Tensor = torch.native_batch_norm(
            x, self.weight, self.bias, self.mean, self.var, False, 0.0, self.facts.eps
        )[0]
        return normed.relu_()

    def forward(self, x: Tensor) -> Tensor:
        """The step: (N, C, H, W), or a slice of it, -> (N, C', H', W')."""
        facts, kernel, outputs = self.facts, self._kernel(), []
        for images in _parts(x):
            y = self.normed(x[images].contiguous(memory_format=LAST))
            y = y if facts.pool is None else facts.pool(y)
            outputs.append(functional.conv2d(y.to(facts.kind), kernel, padding=facts.padding))
        return facts.drop(outputs[0] if len(outputs) == 1 else torch.cat(outputs))

    def _kernel(self) -> Tensor:
        return self.kernel.to(self.facts.kind, memory_format=LAST)

    def backward(self, x: Tensor, grad: Tensor, into: Tensor, *, add: bool, wanted: bool) -> list[Tensor]:
        """The gradients for norm and kernel; that for x, without its part by way of the statistics, goes into a tensor.

        Args:
            x: the step's input.
            grad: for the step's output.
            into: for x, of its shape.
            add: whether to add to ``into`` and not to replace it.
            wanted: whether the kernel's gradient is wanted.
        """
        facts, kernel = self.facts, self._kernel()
        total: list[Tensor] = []
        grad = facts.drop(grad)
        for images in _parts(x):
            part = x[images].contiguous(memory_format=LAST)
            y = self.normed(part)
            pooled = y if facts.pool is None else facts.pool(y)
            padding, mask = [facts.padding] * 2, [True, wanted, False]
            for_y, for_kernel, _ = torch.ops.aten.convolution_backward(
                grad[images], pooled.to(facts.kind), kernel, None, [1, 1], padding, [1, 1], False, [0, 0], 1, mask
            )
            for_y = for_y.to(y.dtype)
            if isinstance(facts.pool, nn.AvgPool2d):
                for_y = torch.ops.aten.avg_pool2d_backward(
                    for_y, y, [2, 2], [2, 2], [0, 0], facts.pool.ceil_mode, True, None
                )
            for_y = torch.ops.aten.threshold_backward(for_y, y, 0)
            for_x, for_weight, for_bias = torch.ops.aten.native_batch_norm_backward(
                for_y, part, self.weight, self.mean, self.var, None, None, False, facts.eps, [True, True, True]
            )
            into[images] = into[images].add_(for_x) if add else for_x
            gradients = [for_weight, for_bias, *([for_kernel.to(self.kernel.dtype)] if wanted else [])]
            total = [a + b for a, b in zip(total, gradients)] if total else gradients
        total[2:] = [
            torch.empty_like(self.kernel).copy_(each) for each in total[2:]
        ]  # DDP wants the kernel's own strides
        return total

    def by_statistics(self, for_weight: Tensor, for_bias: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """(slope, offset), (C,) each: by way of the batch statistics, x's gradient is slope * (x - mean) + offset.

        Args:
            for_weight, for_bias: the norm's gradients.
            count: values of a channel.
        """
        inverse = (self.var + self.facts.eps).rsqrt()
        scale = self.weight * inverse / -count
        return scale * inverse * for_weight, scale * for_bias


def plus_line(grad: Tensor, x: Tensor, mean: Tensor, slope: Tensor, offset: Tensor) -> Tensor:
    """grad + slope * (x - mean) + offset by channel, (N, C, H, W) in grad's dtype, channels-last."""
    slope, offset = slope.view(1, -1, 1, 1), (offset - slope * mean).view(1, -1, 1, 1)
    return (torch.addcmul(offset.to(x.dtype), x, slope.to(x.dtype)) + grad).to(grad.dtype)


def _parts(x: Tensor) -> Iterator[slice]:
    """Ranges of images that are handled at a time; on a GPU it is all of them."""
    at_once = max(1, AT_ONCE // x[0].nbytes) if x.device.type == "cpu" else len(x)
    yield from (slice(first, first + at_once) for first in range(0, len(x), at_once))


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of every channel of (N, C, H, W).

    Raises:
        ValueError: a channel has only one value, as torch's own norm says.
    """
    if x.numel() == x.shape[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.size()}")
    zeros = torch.zeros(2, x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    mean, var = zeros
    both: tuple[Tensor, Tensor] = torch.batch_norm_update_stats(x.contiguous(memory_format=LAST), mean, var, 0.0)
    return both


def update_running(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, count: int) -> None:
    """Move a norm's running statistics towards a batch's, as the module itself does.

    Args:
        norm: only in training mode do its statistics move.
        mean, var: of the batch, biased.
        count: values of a channel.
    """
    if not norm.training or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    if norm.running_mean is None or norm.running_var is None:
        return
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    for running, value in ((norm.running_mean, mean), (norm.running_var, var.double() * (count / (count - 1)))):
        running.copy_(share * value.double() + (1 - share) * running.double())
