"""Gradients of several processes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from ranks import in_processes
from torch import distributed

from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.training.gradients import mean
from densezoo.training.run import Run, make_learner
from densezoo.types import Recipe

PROCESSES = 3
ARCH = DenseNetArchitecture(8, (2, 2), 8, stem="cifar", in_chans=1, num_classes=2)


def together(work: Callable[[int], None], folder: Path) -> None:
    """Have three processes that know each other do their work, rank -> None."""

    def of_rank(rank: int) -> None:
        torch.set_num_threads(1)
        store = f"file://{folder}/store"
        distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=PROCESSES)
        work(rank)
        distributed.destroy_process_group()

    in_processes(of_rank, PROCESSES * (0,))


def means_of(rank: int) -> None:
    all_of_them = torch.randn(PROCESSES, 1000, generator=torch.Generator().manual_seed(0))
    means, order = mean(all_of_them[rank].clone()), torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(means, all_of_them.mean(0))
    assert torch.equal(mean(all_of_them[rank][order]), means[order])


def test_a_mean_has_the_same_bits_wherever_it_lies(tmp_path: Path) -> None:
    """gloo's own sum has not; a thousand numbers don't divide into three parts."""
    together(means_of, tmp_path)


def trained(rank: int) -> None:
    torch.manual_seed(0)
    network, nothing = build_model(ARCH).train(), cast("Any", None)
    alone = copy.deepcopy(network)
    run = Run(network, ARCH, nothing, Recipe(epochs=1, batch_size=4, lr=0.1), "cpu", 0, *4 * (nothing,))
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(rank))
    for forward in (make_learner(run, steps_per_epoch=5).forward, alone):
        torch.autograd.backward(forward(images).square().sum())
    for parameter, own in zip(network.parameters(), alone.parameters()):
        assert parameter.grad is not None
        assert own.grad is not None
        assert torch.equal(parameter.grad.flatten(), mean(own.grad.flatten()))


@pytest.mark.forks
def test_a_training_of_several_processes_takes_these_means(tmp_path: Path) -> None:
    together(trained, tmp_path)
