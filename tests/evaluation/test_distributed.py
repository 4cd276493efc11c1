"""Several processes give the counts of one; real processes, started as torchrun starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.errors import EvaluationError
from densezoo.evaluation import distributed
from densezoo.evaluation.metrics import Counts

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("processes", [2, 3])
def test_the_counts_of_one_process(tmp_path: Path, processes: int) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    network = "configs/digits/densenet_bc_22_8_digits"
    command = ["tools/test.py", f"{network}.py", f"{network}.safetensors"]
    options = ["--launcher", "pytorch", "--device", "cpu", "--workers", "0", "--out", str(tmp_path)]
    done = subprocess.run([*launcher, *command, *options], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("top-1") == 1  # one process speaks for all
    stored = json.loads((tmp_path / "digits" / "densenet_bc_22_8.densezoo_digits@digits.json").read_text())
    committed = json.loads((REPOSITORY / "results/digits/densenet_bc_22_8.densezoo_digits@digits.json").read_text())
    for key in ("num_samples", "weights_sha256", "dataset_fingerprint"):
        assert stored[key] == committed[key]
    assert abs(stored["correct1"] - committed["correct1"]) <= 1  # another processor may round otherwise


@pytest.mark.parametrize("launcher", ["pytorch", "slurm", "mpi"])
def test_a_process_that_was_not_launched(monkeypatch: pytest.MonkeyPatch, launcher: str) -> None:
    for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EvaluationError, match=f"--launcher {launcher}: .* are not set; start the processes with"):
        distributed.start(launcher, "cpu")


def test_one_process_has_everything() -> None:
    distributed.start("none", "cpu")
    assert list(distributed.shard(5)) == [0, 1, 2, 3, 4]
    assert distributed.is_main()
    assert distributed.reduce_counts(Counts(3, 2, 1)) == Counts(3, 2, 1)


@pytest.mark.parametrize("world_size", [1, 2, 3, 7, 11])
def test_shards_cover_every_image_once(monkeypatch: pytest.MonkeyPatch, world_size: int) -> None:
    shards = []
    for rank in range(world_size):
        monkeypatch.setattr(distributed.dist, "get_rank", lambda rank=rank: rank)
        monkeypatch.setattr(distributed.dist, "get_world_size", lambda: world_size)
        shards += distributed.shard(10)
    assert sorted(shards) == list(range(10))
