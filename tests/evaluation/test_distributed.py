"""Several processes give the counts of one; real processes, started by torchrun or as it starts them."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from forked import Forked

from densezoo import api
from densezoo.errors import EvaluationError
from densezoo.evaluation import distributed

REPOSITORY = Path(__file__).resolve().parents[2]
#: tools/test.py, whose processes wait a tenth as long for a sign of life of the others.
IMPATIENT = """
import runpy, sys
from densezoo.evaluation import distributed
distributed.BEAT = 0.1
sys.argv[0] = "tools/test.py"
runpy.run_path(sys.argv[0], run_name="__main__")
"""
NETWORK = "configs/digits/densenet_bc_22_8_digits"


@pytest.mark.slow  # four starts of torch; in `make test` the two processes are forked
def test_by_torchrun_three_processes_give_the_counts_of_one(tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    options = ["--device", "cpu", "--workers", "0", "--out", str(tmp_path)]  # the launcher is recognised
    command = [*launcher, "tools/test.py", f"{NETWORK}.py", f"{NETWORK}.safetensors", *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("top-1") == 1  # one process speaks for all
    check_counts(tmp_path)


def test_two_processes_give_the_counts_of_one(tmp_path: Path) -> None:
    port = free_port()
    processes = [start(tmp_path, rank, 2, port, "--batch-size", "32", launcher=None) for rank in range(2)]
    shown = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], shown
    assert [out.count("top-1") for out, _ in shown] == [1, 0]  # one process speaks for all
    check_counts(tmp_path)


def check_counts(out: Path) -> None:
    """Hold what is stored against the committed result."""
    stored = json.loads((out / "digits" / "densenet_bc_22_8.densezoo_digits@digits.json").read_text())
    committed = json.loads((REPOSITORY / "results/digits/densenet_bc_22_8.densezoo_digits@digits.json").read_text())
    for key in ("num_samples", "weights_sha256", "dataset_fingerprint"):
        assert stored[key] == committed[key]
    assert abs(stored["correct1"] - committed["correct1"]) <= 1  # another processor may round otherwise


def start(
    out: Path,
    rank: int,
    world_size: int,
    port: int,
    *options: str,
    launcher: str | None = "pytorch",
    program: Sequence[str] = ("tools/test.py",),
    fresh: bool = False,
) -> Forked | subprocess.Popen[str]:
    """One of several processes over the digits, one image a step; without a launcher that is to be recognised.

    A fresh one is an interpreter of its own, whose torch reads the environment.
    """
    variables: dict[str, object] = {
        "RANK": rank,
        "WORLD_SIZE": world_size,
        "OMP_NUM_THREADS": 1,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    command = [*program, f"{NETWORK}.py", f"{NETWORK}.safetensors"]
    command += ["--launcher", launcher] if launcher else []
    command += ["--device", "cpu", "--workers", "0", "--batch-size", "1", "--out", str(out), *options]
    environment = {**os.environ, "LOCAL_RANK": "0", **{name: str(value) for name, value in variables.items()}}
    if not fresh:
        return Forked(command, REPOSITORY, environment)
    pipe = subprocess.PIPE
    command = [sys.executable, *command]
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, text=True, stdout=pipe, stderr=pipe)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.slow  # in `make test` processes end each other where one can't begin, and a killed run alone is resumed
@pytest.mark.parametrize("killed", [0, 2])
def test_a_killed_process_ends_the_others_and_they_resume(tmp_path: Path, killed: int) -> None:
    port = free_port()
    processes = [start(tmp_path, rank, 3, port, fresh=True) for rank in range(3)]
    while not (states := list(tmp_path.glob(f"*/.*.rank{killed}.state"))) or states[0].stat().st_size < 10_000:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.005)
    processes[killed].kill()
    shown = [process.communicate(timeout=200)[1] for process in processes]  # 20 to 30 s on an idle machine
    for rank in {0, 1, 2} - {killed}:
        assert processes[rank].returncode == 1, shown[rank]
        assert f"error: rank {killed}" in shown[rank]
        assert "[W" not in shown[rank]  # torch's own page of C++ frames
        assert "--resume" in shown[rank]
    assert not list(tmp_path.glob("*/*.json"))
    port = free_port()
    again = [start(tmp_path, rank, 3, port, "--resume") for rank in range(3)]
    shown = [process.communicate(timeout=200)[1] for process in again]
    assert [process.returncode for process in again] == [0, 0, 0], shown
    resumed = json.loads(next(tmp_path.glob("digits/*.json")).read_text())
    alone = dataclasses.asdict(
        api.evaluate_checkpoint(*api.DEMO, batch_size=1, workers=0, device="cpu", launcher="none")
    )
    for key in ("correct1", "correct5", "loss", "calibration_error", "coverage"):
        assert resumed[key] == json.loads(json.dumps(alone[key]))
    whole = {"expected": 899, "scored": 899, "unreadable": [], "duplicated": 0, "truncated": []}
    assert resumed["coverage"] == whole
    assert not list(tmp_path.glob("*/.*"))


def test_ranks_that_measure_different_things_are_refused(tmp_path: Path) -> None:
    """As when the checkpoint is replaced while they start."""
    port = free_port()
    processes = [start(tmp_path, rank, 2, port, *(["--tta", "flip"] if rank else [])) for rank in range(2)]
    shown = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    for text in shown:
        assert "rank 1 measures another thing than rank 0: tta is 'flip', and None there" in text
    assert not list(tmp_path.glob("*/*.json"))


def test_a_rank_that_cannot_begin_ends_the_others(tmp_path: Path) -> None:
    """As when it reads a checkpoint that is being replaced: nobody waits for it until the time for joining is over."""
    port = free_port()
    wrong = ["--cfg-options", "model.growth_rate=5"]
    processes = [
        start(tmp_path, rank, 2, port, *(wrong if rank else []), program=("-c", IMPATIENT)) for rank in range(2)
    ]
    shown = [process.communicate(timeout=distributed.JOINING.total_seconds() / 2)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    assert "error: rank 1 ended with CheckpointError:" in shown[0], shown[0]
    assert "--resume" not in shown[0]
    assert "rank" not in shown[1]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No launcher's variable is set."""
    for pairs in distributed._VARIABLES.values():
        for name in (name for pair in pairs for name in pair):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("launcher", ["pytorch", "slurm", "mpi"])
def test_a_process_that_was_not_launched(launcher: str) -> None:
    with pytest.raises(EvaluationError, match=f"--launcher {launcher}: .* are not set; start the processes with"):
        distributed.start(launcher, "cpu")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("variables", "launcher"),
    [
        ({}, "none"),
        ({"RANK": "0", "WORLD_SIZE": "1"}, "none"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "pytorch"),
        ({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}, "slurm"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, "none"),  # a shell in an allocation: nobody else is started
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, "mpi"),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, "mpi"),
    ],
)
def test_launchers_are_recognised(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], launcher: str) -> None:
    joined: list[dict[str, Any]] = []
    monkeypatch.setattr("torch.distributed.rendezvous", lambda *_, **kinds: iter([(Mock(),)]))
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *_, **kinds: joined.append(kinds))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert distributed.start(None, "cpu") == launcher
    places = [{name: kinds[name] for name in ("rank", "world_size")} for kinds in joined]
    assert places == ([] if launcher == "none" else [{"rank": 1, "world_size": 2}])
    assert distributed.start("none", "cpu") == "none"


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("-1", "2"), ("a", "2"), ("0", "0")])
def test_a_rank_that_cannot_be(monkeypatch: pytest.MonkeyPatch, rank: str, size: str) -> None:
    """The others would be waited for, and it for them."""
    monkeypatch.setenv("PMI_RANK", rank)
    monkeypatch.setenv("PMI_SIZE", size)
    with pytest.raises(EvaluationError, match=f"PMI_RANK is '{rank}' and PMI_SIZE '{size}'; expected whole numbers"):
        distributed.start(None, "cpu")


@pytest.mark.usefixtures("alone")
def test_without_an_address_to_meet_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(EvaluationError, match=r"rank 0 of 2 can't join the others by mpi .*set MASTER_ADDR"):
        distributed.start(None, "cpu")


def test_a_port_in_use_is_one_message(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = start(tmp_path, 0, 2, listener.getsockname()[1])
        shown = process.communicate(timeout=100)[1]
    assert process.returncode == 1
    assert "error: rank 0 of 2 can't join the others by pytorch" in shown
    assert "MASTER_PORT to a free port" in shown
    assert "Traceback" not in shown


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("rank", [0, 1])  # who waits for the others, and who looks for the first
def test_a_process_that_never_joins_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr(distributed, "JOINING", timedelta(seconds=1))
    variables = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(EvaluationError, match=f"^rank {rank} of 2 can't join the others by pytorch"):
        distributed.start("pytorch", "cpu")


def _reduced_without_the_other(rank: int, folder: str) -> None:
    """One of two processes of a training: rank 1 dies while the other is in a call of DistributedDataParallel's."""
    distributed.SILENCE, distributed.BEAT = 1.0, 0.1
    group = {"init_method": f"file://{folder}/store", "rank": rank, "world_size": 2}
    torch.distributed.init_process_group("gloo", **group)  # type: ignore[arg-type]
    with distributed.processes_watched():
        if rank == 1:
            os._exit(9)
        torch.distributed.all_reduce(torch.zeros(1))


def test_a_process_that_dies_amid_a_call_of_torch_s_own_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=_reduced_without_the_other, args=(rank, str(tmp_path))) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(120)
    assert [rank.exitcode for rank in ranks] == [1, 9]
    shown = capfd.readouterr().err
    assert "error: rank 1" in shown
    assert "--resume" in shown
    assert "Traceback" not in shown


def test_one_process_has_everything() -> None:
    distributed.start("none", "cpu")
    assert list(distributed.shard(5)) == [0, 1, 2, 3, 4]
    assert distributed.is_main()
    assert distributed.gather("x") == ["x"]
    with distributed.processes_watched():
        pass


@pytest.mark.parametrize("world_size", [1, 2, 3, 7, 11])
def test_shards_cover_every_image_once(monkeypatch: pytest.MonkeyPatch, world_size: int) -> None:
    shards: list[int] = []
    for rank in range(world_size):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        monkeypatch.setattr(distributed, "world_size", lambda: world_size)
        shards += distributed.shard(10)
    assert sorted(shards) == list(range(10))
