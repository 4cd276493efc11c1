"""Two processes that share a batch train as one that has all of it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
import torch
from ranks import in_processes
from small_training import NAME, SMALL, of_few_images, train
from torch import Tensor, distributed, nn

from densezoo.formats.detect import read_checkpoint
from densezoo.formats.identity import file_sha256
from densezoo.training import sync_bn
from densezoo.training.logs import read_records
from densezoo.training.loop import Batch, Learner
from densezoo.training.state import state_files

TOGETHER = {
    **SMALL,
    "model.drop_rate": 0.0,
    "train.sync_bn": True,
    "train.epochs": 2,
    "train.accumulate": 2,
    "train.ema": 0.9,
    "train.clip_grad": 1.0,
}
#: What is drawn in each process, and statistics of its own.
APART = {**SMALL, "train.epochs": 1, "model.drop_rate": 0.3, "train.mixup": 0.5}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def as_rank(rank: int, port: int, work: Callable[[int], None]) -> None:
    """Do what a process of two does that torchrun started."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    of_few_images(pytest.MonkeyPatch())
    work(rank)
    distributed.destroy_process_group()


def trained_together(work: Callable[[int], None], ends: Sequence[int] = (0, 0)) -> None:
    """Have two processes that train together do their work, rank -> None, and end so."""
    port = free_port()
    in_processes(lambda rank: as_rank(rank, port, work), ends)


@pytest.mark.forks
def test_two_processes_give_the_weights_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_together(lambda _: cast("None", train(tmp_path / "two", TOGETHER)))
    of_few_images(monkeypatch)
    alone = read_checkpoint(train(tmp_path / "one", TOGETHER)).tensors
    together = read_checkpoint(tmp_path / "two" / NAME).tensors
    assert together.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=1e-3, atol=1e-4)
    told = [read_records(tmp_path / folder / "log.jsonl") for folder in ("one", "two")]
    for one, two in zip(*told, strict=True):
        assert two.get("loss", 0) == pytest.approx(one.get("loss", 0), rel=1e-3)


class Ended(Exception):
    """Raised in place of a signal's end of a process."""


@pytest.mark.forks
def test_a_signal_to_one_of_two_processes_ends_both_and_they_go_on_to_the_same_bits(tmp_path: Path) -> None:
    def interrupted(rank: int) -> None:
        real, taken = Learner.step, []

        def step(self: Learner, batches: Iterator[Batch], done: int) -> Tensor:
            taken.append(done)
            if (rank, done) == (1, 1):
                signal.raise_signal(signal.SIGTERM)
            return real(self, batches, done)

        def end(number: int, _: object) -> None:
            raise Ended

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Learner, "step", step)
            signal.signal(signal.SIGTERM, end)
            with pytest.raises(Ended if rank else KeyboardInterrupt):
                train(tmp_path / "two", APART)
        assert taken == [0, 1]

    trained_together(interrupted)
    assert list(state_files(tmp_path / "two")) == [2]
    trained_together(lambda _: cast("None", train(tmp_path / "two", APART, resume=True)))
    trained_together(lambda _: cast("None", train(tmp_path / "undisturbed", APART)))
    assert file_sha256(tmp_path / "two" / NAME) == file_sha256(tmp_path / "undisturbed" / NAME)


@pytest.mark.slow  # the one that is left waits until the other one has been silent for seconds
@pytest.mark.forks
def test_one_of_two_processes_is_killed_and_they_go_on_to_the_same_bits(tmp_path: Path) -> None:
    """The main one while it writes a state, the other one when a step begins."""
    longer = {**APART, "train.epochs": 2, "train.save_every": 1}

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def first_dies(rank: int) -> None:
        real = os.replace

        def replace(source: str, target: Path) -> None:
            if target.name == "step_00000003.state":
                end()
            real(source, target)

        dying(lambda patch: patch.setattr(os, "replace", replace))

    def second_dies(rank: int) -> None:
        real = Learner.step

        def step(self: Learner, batches: Iterator[Batch], done: int) -> Tensor:
            if (rank, done) == (1, 5):
                end()
            return real(self, batches, done)

        dying(lambda patch: patch.setattr(Learner, "step", step))

    def dying(change: Callable[[pytest.MonkeyPatch], None]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("densezoo.evaluation.distributed.SILENCE", 3.0)
            change(patch)
            train(tmp_path / "two", longer, resume=True)

    trained_together(first_dies, (-signal.SIGKILL, 1))
    assert list(state_files(tmp_path / "two")) == [1, 2]
    trained_together(second_dies, (1, -signal.SIGKILL))
    assert list(state_files(tmp_path / "two")) == [4, 5]
    trained_together(lambda _: cast("None", train(tmp_path / "two", longer, resume=True)))
    trained_together(lambda _: cast("None", train(tmp_path / "undisturbed", longer)))
    assert file_sha256(tmp_path / "two" / NAME) == file_sha256(tmp_path / "undisturbed" / NAME)
    steps = [record["step"] for record in read_records(tmp_path / "two" / "log.jsonl") if record["event"] == "step"]
    assert steps == [*range(1, 9)]


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "get_world_size", lambda: 1)
    monkeypatch.setattr(distributed, "all_reduce", lambda tensor: None)


@pytest.mark.usefixtures("one_process")
def test_statistics_are_of_floats_and_without_a_momentum_the_mean_of_all_batches() -> None:
    """Under autocast the images come in bf16; torch's own norm takes its statistics of the same numbers as floats."""
    torch.manual_seed(0)
    norms = nn.BatchNorm2d(3, momentum=None), nn.BatchNorm2d(3, momentum=None)
    sync_bn.synchronised(norms[1], torch.device("cpu"))
    for _ in range(3):
        images = (torch.randn(4, 3, 5, 5) + 10).bfloat16()
        norms[0](images.float())
        assert norms[1](images).dtype == torch.bfloat16
    torch.testing.assert_close(dict(norms[1].state_dict()), dict(norms[0].state_dict()))


@pytest.mark.usefixtures("one_process")
def test_one_process_s_statistics_are_torch_s() -> None:
    torch.manual_seed(0)
    images = torch.randn(4, 3, 5, 5).requires_grad_()
    norms = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    for norm in norms:
        nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
    sync_bn.synchronised(norms[1], torch.device("cpu"))
    assert type(norms[1]) is sync_bn.SynchronisedBatchNorm2d
    gradients = []
    for norm in norms:
        output = norm(images)
        gradients.append(torch.autograd.grad(output.pow(3).sum(), [images, norm.weight, norm.bias]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(dict(norms[0].state_dict()), dict(norms[1].state_dict()))
    norms[1].eval()
    norms[0].eval()
    torch.testing.assert_close(norms[0](images), norms[1](images))
