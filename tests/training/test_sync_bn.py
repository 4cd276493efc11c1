"""Two processes that share a batch train as one that has all of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_training import NAME, SMALL, of_few_images, train
from torch import distributed, nn

from densezoo.formats.detect import read_checkpoint
from densezoo.training import sync_bn

TOGETHER = {
    **SMALL,
    "model.drop_rate": 0.0,
    "train.sync_bn": True,
    "train.ema": 0.9,
    "train.clip_grad": 1.0,
}
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import pytest
from small_training import of_few_images, train
of_few_images(pytest.MonkeyPatch())
train(Path({folder!r}), {overrides!r})
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_two_processes_give_the_weights_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, port = tmp_path / "two", free_port()
    program = PROGRAM.format(tests=str(Path(__file__).parent.parent), folder=str(folder), overrides=TOGETHER)
    processes = []
    for rank in range(2):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
        place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        processes.append(subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **place}))
    of_few_images(monkeypatch)
    alone = read_checkpoint(train(tmp_path / "one", TOGETHER)).tensors
    assert [process.wait(300) for process in processes] == [0, 0]
    together = read_checkpoint(folder / NAME).tensors
    assert together.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=1e-3, atol=1e-4)


def test_one_process_s_statistics_are_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "get_world_size", lambda: 1)
    monkeypatch.setattr(distributed, "all_reduce", lambda tensor: None)
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
