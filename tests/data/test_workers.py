"""Loader processes that are killed, that hang, that lose a batch, and that have next to no shared memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from multiprocessing import resource_sharer
from pathlib import Path

import forked
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from densezoo import api
from densezoo.config import load_config
from densezoo.data import workers
from densezoo.data.workers import Pulse, lost_workers_named, watched_batches
from densezoo.errors import EvaluationError
from densezoo.formats.safetensors import write_safetensors

REPOSITORY = Path(__file__).resolve().parents[2]

# torch raises a worker's death from a signal handler, wherever the main process is; Python drops what is raised in a
# callback of its garbage collector, of which hypothesis has one, and pytest would make an error of that. What matters
# is that watched_batches ends all the same, which the tests hold.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Numbers(Dataset[int]):
    """0 to 19, or 0 to 9 slowly; a worker does what ``fault`` says at 10."""

    def __init__(self, fault: str, pulse: Pulse) -> None:
        self.fault, self.pulse = fault, pulse

    def __len__(self) -> int:
        return 10 if self.fault == "slow" else 20

    def __getitem__(self, index: int) -> int:
        self.pulse.beat()
        if index == 10 and self.fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 10 and self.fault == "hangs":
            os.kill(os.getpid(), signal.SIGSTOP)
        if index in (0, 5) and self.fault == "stops":
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGSTOP)).start()
        if self.fault == "slow":
            time.sleep(0.45)
        return index


class Lost:
    """What can't be sent: the queue's own thread drops it and says nothing to the main process."""

    def __reduce__(self) -> str:
        raise OSError("no room")


def losing(items: list[int]) -> object:
    return Lost() if 10 in items else torch.tensor(items)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 2.0)


def loaded(fault: str, collate: Callable[[list[int]], object] = torch.tensor) -> Generator[torch.Tensor]:
    pulse = Pulse(2)
    loader: DataLoader[int] = DataLoader(
        Numbers(fault, pulse), batch_size=5, num_workers=2, timeout=0.2, collate_fn=collate
    )
    return watched_batches(loader, pulse)


def test_all_batches_come_in_order() -> None:
    assert torch.cat(list(loaded("none"))).tolist() == list(range(20))


@pytest.mark.usefixtures("impatient")
def test_slow_is_not_lost() -> None:
    """A batch takes longer than the patience; what counts is whether images are read."""
    assert torch.cat(list(loaded("slow"))).tolist() == list(range(10))


@pytest.mark.usefixtures("impatient")
def test_a_killed_worker_is_one_message() -> None:
    gone = "a process that decodes images is gone .*smaller batch size or fewer"
    with pytest.raises(EvaluationError, match=gone), lost_workers_named(), closing(loaded("killed")) as batches:
        list(batches)


def test_a_worker_killed_while_its_batch_is_fetched_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shared memory is asked for then, over a connection of its own."""
    detach = resource_sharer.DupFd.detach

    def too_late(handle: resource_sharer.DupFd) -> int:
        for worker in multiprocessing.active_children():
            worker.kill()
        return int(detach(handle))

    monkeypatch.setattr(resource_sharer.DupFd, "detach", too_late)
    with pytest.raises(EvaluationError, match="a process that decodes images is gone"), lost_workers_named():
        list(loaded("none"))


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_hangs_is_not_waited_for() -> None:
    with pytest.raises(EvaluationError, match="no process that decodes images has read one for 2 s: one hangs"):
        list(loaded("hangs"))
    for child in multiprocessing.active_children():
        child.join(10)
        assert not child.is_alive()


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_stops_after_it_has_sent_is_not_waited_for() -> None:
    """What it sent can't be opened without its help."""
    with closing(loaded("stops")) as batches:
        next(batches)
        threading.Timer(20, resume_all).start()  # or this test would wait for ever where the run does
        time.sleep(1.5)
        with pytest.raises(EvaluationError, match="for 2 s: one hangs"):
            list(batches)


def resume_all() -> None:
    for child in multiprocessing.active_children():
        os.kill(child.pid or 0, signal.SIGCONT)


@pytest.mark.usefixtures("impatient")
def test_a_lost_batch_is_not_waited_for() -> None:
    with pytest.raises(EvaluationError, match="or what it sent is lost"):
        list(loaded("none", losing))


CONFIG = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=3)
dataset = "imagefolder"
protocol = "torch7"
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, random_image: Callable[..., Image.Image]) -> list[str]:
    """A small network on 24 images under torch7, whose pixels are floats: 9.6 MB a batch."""
    tmp_path = tmp_path_factory.mktemp("floats")
    torch.manual_seed(0)
    (tmp_path / "small.py").write_text(CONFIG)
    network = api.create_model(load_config(tmp_path / "small.py").model)
    write_safetensors(tmp_path / "small.safetensors", network.state_dict(), {})
    for i in range(24):
        path = tmp_path / "val" / "abc"[i // 8] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        random_image(230, 226, seed=i).save(path)
    paths = [str(tmp_path / name) for name in ("small.py", "small.safetensors", "val")]
    return ["tools/test.py", *paths[:2], "--data-root", paths[2], "--batch-size", "16", "--device", "cpu"]


def run(command: list[str], out: Path, before: Sequence[str] = ()) -> dict[str, object]:
    done = forked.run([*before, *command, "--out", out], cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (stored,) = out.glob("*/*.json")
    return {
        key: value for key, value in json.loads(stored.read_text()).items() if key not in ("date", "seconds", "commit")
    }


@pytest.fixture(scope="module")
def alone(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The result where there is room."""
    return run(command, tmp_path_factory.mktemp("alone"))


#: What ``unshare -rm`` does, with a shared memory of its own, and then the program.
UNSHARED = """
import ctypes, os, runpy, subprocess, sys
users, mounts, (uid, gid) = 0x10000000, 0x00020000, (os.getuid(), os.getgid())
assert ctypes.CDLL(None).unshare(users | mounts) == 0
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {{uid}} 1"), ("gid_map", f"0 {{gid}} 1")):
    with open(f"/proc/self/{{name}}", "w") as file:
        file.write(text)
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "{room}", "tmpfs", "/dev/shm"], check=True)
subprocess.run({fill}, check=True)
assert os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize <= 64 << 20
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], capture_output=True).returncode
    != 0,
    reason="this system lets nobody mount in a namespace of their own",
)
@pytest.mark.parametrize("room", [pytest.param("size=64m", marks=pytest.mark.slow), "size=2m", "size=64k,nr_inodes=2"])
def test_small_shared_memory(command: list[str], alone: dict[str, object], tmp_path: Path, room: str) -> None:
    """64 MB is Docker's default; under the last there is no room even for a semaphore."""
    fill = ["touch", "/dev/shm/full"] if "inodes" in room else ["true"]  # the folder itself is the other inode
    small = ["-c", UNSHARED.format(room=room, fill=fill)]
    assert run([*command, "--workers", "2"], tmp_path / "small", small) == alone
