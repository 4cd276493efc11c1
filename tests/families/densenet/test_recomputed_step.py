"""Batch statistics and running statistics are torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from densezoo.families.densenet.recomputed_step import plus_line, statistics, update_running


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_running_statistics_move_as_the_norm_s_own(momentum: float | None, dtype: torch.dtype) -> None:
    ours, theirs = (nn.BatchNorm2d(3, momentum=momentum).to(dtype) for _ in range(2))
    for seed in (0, 1):
        x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 3 + 1
        update_running(ours, *statistics(x), count=40)
        theirs(x)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=3e-7, atol=0)


def test_bfloat16_s_statistics_are_float32() -> None:
    x = (torch.randn(4, 3, 9, 9) + 5).bfloat16()
    mean, var = statistics(x)
    assert mean.dtype == var.dtype == torch.float32
    torch.testing.assert_close(mean, x.float().mean((0, 2, 3)))
    torch.testing.assert_close(var, x.float().var((0, 2, 3), correction=0), rtol=1e-4, atol=0)


def test_one_value_a_channel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than 1 value per channel when training, got input size torch.Size"):
        statistics(torch.zeros(1, 3, 1, 1))


def test_a_line_is_added_by_channel() -> None:
    grad, x = torch.randn(2, 2, 3, 2), torch.randn(2, 2, 3, 2)
    mean, slope, offset = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    expected = grad + slope.view(1, 2, 1, 1) * (x - mean.view(1, 2, 1, 1)) + offset.view(1, 2, 1, 1)
    torch.testing.assert_close(plus_line(grad, x, mean, slope, offset), expected)
