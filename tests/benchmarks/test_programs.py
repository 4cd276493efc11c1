"""Every program computes the same logits, from the same file of weights."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest
import torch
from benchmark_runs import small_subject

from densezoo.benchmarks.measuring import random_pixels
from densezoo.benchmarks.programs import PROGRAMS, start
from densezoo.benchmarks.subject import drawn_network
from densezoo.benchmarks.task import Task
from densezoo.errors import ConfigError, EvaluationError
from densezoo.families import architecture_values
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import Experiment

#: A DenseNet that torchvision and timm can build.
ARCH = DenseNetArchitecture(growth_rate=8, block_config=(2, 2), num_init_features=16, bn_size=2, num_classes=7)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    path = tmp_path_factory.mktemp("task") / "weights.safetensors"
    write_safetensors(path, drawn_network(Experiment("x", "x.py", ARCH, "imagenet1k", "timm"), 64).state_dict(), {})
    return Task("densezoo eager", architecture_values(ARCH), str(path), "timm", 64, threads=1)


@pytest.mark.parametrize("name", [name for name, each in PROGRAMS.items() if each.package != "mmpretrain"])
def test_the_logits_are_densezoo_s(task: Task, name: str) -> None:
    if importlib.util.find_spec(PROGRAMS[name].package) is None:
        pytest.skip(f"{PROGRAMS[name].package} is not installed")
    pixels = random_pixels(2, 3, 64)
    own = start(task)
    expected = own(own.prepare(pixels))
    program = start(dataclasses.replace(task, program=name))
    logits = program(program.prepare(pixels))
    assert logits.shape == (2, 7)
    assert (logits - expected).abs().max() < 1e-5 * expected.abs().max()


def test_autocast_is_less_exact(task: Task) -> None:
    pixels = random_pixels(2, 3, 64)
    own, bf16 = start(task), start(dataclasses.replace(task, program="timm", precision="bf16"))
    expected, logits = own(own.prepare(pixels)), bf16(bf16.prepare(pixels))
    assert 1e-4 < (logits - expected).abs().max() / expected.abs().max() < 0.1


def test_a_network_that_a_program_can_t_have_is_refused(tmp_path: Path, task: Task) -> None:
    small = small_subject(tmp_path)
    with pytest.raises(ConfigError, match="builder 'timm' can't express"):
        start(small.task("timm", "cpu", "float32", 1))
    with pytest.raises(EvaluationError, match="mmpretrain has no configuration of this network"):
        start(dataclasses.replace(task, program="mmpretrain"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # mmcv-lite's, of what it lacks
def test_mmpretrain_s_logits_are_densezoo_s(tmp_path: Path) -> None:
    pytest.importorskip("mmpretrain")
    arch = DenseNetArchitecture()
    path = tmp_path / "weights.safetensors"
    write_safetensors(path, drawn_network(Experiment("x", "x.py", arch, "imagenet1k", "timm"), 64).state_dict(), {})
    task = Task("mmpretrain", architecture_values(arch), str(path), "timm", 64)
    theirs, own = start(task), start(dataclasses.replace(task, program="densezoo eager"))
    pixels = random_pixels(1, 3, 64)
    expected = own(own.prepare(pixels))
    assert (theirs(theirs.prepare(pixels)) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_pixels_are_the_same_in_every_process() -> None:
    assert torch.equal(random_pixels(2, 1, 8), random_pixels(2, 1, 8))
