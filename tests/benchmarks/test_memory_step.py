"""What a training step keeps for backward, by program: counted once, without weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from benchmark_runs import small_subject

from densezoo.benchmarks.memory_step import OTHERS, build, kept_for_backward, measure_memory
from densezoo.benchmarks.subject import make_subject
from densezoo.benchmarks.task import Task
from densezoo.benchmarks.training_step import TrainingStep
from densezoo.errors import BenchmarkError
from densezoo.families.densenet.memory import MEMORY_MODES


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A DenseNet-BC for small images in three channels, as torchvision can build it."""
    folder = tmp_path_factory.mktemp("memory")
    subject = make_subject("configs/cifar/densenet_bc_40_12_cifar10plus.py", folder, None, 8, None)
    return subject.task("densezoo none", "cpu", "float32", 1)


def test_storages_count_once_and_weights_don_t() -> None:
    weight = torch.randn(3, 3, requires_grad=True)
    x = torch.randn(5, 3)
    made, kept = kept_for_backward(lambda: (x @ weight).exp() + (x[1:] @ weight).sum(), [weight])
    assert made.shape == (5, 3)
    assert kept == x.nbytes + 5 * 3 * 4  # x, and what exp returned
    assert kept_for_backward(lambda: x @ weight, [])[1] == x.nbytes


def test_every_program_has_one_loss_and_less_is_kept(task: Task) -> None:
    programs = [*(f"densezoo {mode}" for mode in MEMORY_MODES), *OTHERS]
    found = {name: measure_memory(dataclasses.replace(task, program=name), 2, 0.0) for name in programs}
    losses = [loss for _, loss, _ in found.values()]
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-5)
    kept = [found[name][2] for name in (*programs[:4], "torchvision memory_efficient", "torchvision")]
    none, shared, recompute, least, efficient, default = kept
    assert least < recompute < shared < efficient < none <= default * 1.01
    assert found["gpleiss"][2] < 0.6 * default


def test_the_targets_of_a_bc_100_12(tmp_path: Path) -> None:
    """Shares of what torchvision's default keeps, which hardly depend on the number of images."""
    subject = make_subject("configs/cifar/densenet_bc_100_12_cifar10plus.py", tmp_path, None, None, None)
    kept = {}
    for program in ("torchvision", "torchvision memory_efficient", "densezoo shared", "densezoo recompute"):
        task = subject.task(program, "cpu", "float32", 1)
        step = TrainingStep(build(task), task, 2)
        kept[program] = kept_for_backward(step.forward, [*step.network.parameters(), *step.network.buffers()])[1]
    assert kept["densezoo shared"] < 0.22 * kept["torchvision"]
    assert kept["densezoo recompute"] < 0.07 * kept["torchvision"]
    assert kept["torchvision memory_efficient"] > 0.34 * kept["torchvision"]  # the count is as in the issue: 36 %


def test_gpleiss_moves_statistics_twice(task: Task) -> None:
    network = build(dataclasses.replace(task, program="gpleiss"))
    layer = network.get_submodule("features.denseblock1.denselayer2")
    counts = [layer.get_buffer(f"norm{i}.num_batches_tracked") for i in (1, 2)]
    before = [int(count) for count in counts]
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    assert [int(count) - old for count, old in zip(counts, before)] == [2, 1]


def test_channels_last_is_a_layout_of_the_weights(task: Task) -> None:
    network = build(dataclasses.replace(task, program="torchvision channels-last"))
    assert network.get_parameter("features.conv0.weight").is_contiguous(memory_format=torch.channels_last)


def test_a_network_that_torchvision_lacks_is_refused(tmp_path: Path) -> None:
    other = small_subject(tmp_path).task("torchvision", "cpu", "float32", 1)
    arch = {**other.architecture, "stem": "deep"}
    with pytest.raises(BenchmarkError, match="torchvision's DenseNet can't express this network"):
        build(dataclasses.replace(other, architecture=arch))
