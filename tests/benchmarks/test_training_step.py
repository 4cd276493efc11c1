"""A training step: the loss is the network's, and the weights move."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from benchmark_runs import small_subject
from torch.nn import functional

from densezoo.benchmarks.measuring import random_pixels
from densezoo.benchmarks.training_step import build_trained, measure_steps
from densezoo.data.preprocess import normalise


def test_the_first_loss_is_the_network_s_and_the_next_one_is_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = dataclasses.replace(small_subject(tmp_path).task("densezoo", "cpu", "float32", 1))
    images = normalise(random_pixels(4, 1, 8), task.preprocessing)
    expected = functional.cross_entropy(build_trained(task)(images), torch.arange(4))
    losses: list[float] = []
    entropy = functional.cross_entropy

    def seen(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        losses.append(entropy(logits, labels).item())
        return entropy(logits, labels)

    monkeypatch.setattr(functional, "cross_entropy", seen)
    rate, loss = measure_steps(task, 4, 0.0)
    assert rate > 0
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert losses[0] == loss
    assert len(losses) == 2
    assert losses[1] < losses[0]


def test_channels_last_is_a_layout_of_the_weights(tmp_path: Path) -> None:
    task = small_subject(tmp_path).task("densezoo channels-last", "cpu", "float32", 1)
    network = build_trained(task)
    assert network.training
    kernel = next(
        tensor for tensor in network.parameters() if tensor.ndim == 4 and tensor.shape[1] > 1 < tensor.shape[2]
    )
    assert kernel.is_contiguous(memory_format=torch.channels_last)
