"""Gradients of several processes."""

from __future__ import annotations

from pathlib import Path

import torch
from ranks import in_processes
from torch import distributed

from densezoo.training.gradients import mean

PROCESSES = 3


def of_rank(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=PROCESSES)
    all_of_them = torch.randn(PROCESSES, 1000, generator=torch.Generator().manual_seed(0))
    means, order = mean(all_of_them[rank].clone()), torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(means, all_of_them.mean(0))
    assert torch.equal(mean(all_of_them[rank][order]), means[order])
    distributed.destroy_process_group()


def test_a_mean_has_the_same_bits_wherever_it_lies(tmp_path: Path) -> None:
    """gloo's own sum has not; a thousand numbers don't divide into three parts."""
    in_processes(lambda rank: of_rank(rank, tmp_path), PROCESSES * (0,))
