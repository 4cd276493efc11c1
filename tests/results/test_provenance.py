from __future__ import annotations

import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import torch
import yaml
from examples import example_result

from densezoo.results import provenance


def test_versions_are_the_installed_ones() -> None:
    assert provenance.versions()["torch"] == torch.__version__.partition("+")[0]
    assert provenance.versions(["yaml"])["yaml"] == yaml.__version__
    assert {"python", "densezoo", "torchvision", "pillow", "numpy"} <= set(provenance.versions())


def test_the_commit_and_whether_it_is_all(tmp_path: Path) -> None:
    assert provenance.commit(tmp_path) is None

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert provenance.commit(tmp_path) == head
    (tmp_path / "untracked").write_text("")
    assert provenance.commit(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert provenance.commit(tmp_path) == f"{head}+dirty"


def test_the_machine() -> None:
    name, _, cores = provenance.machine("cpu").rpartition(", ")
    assert name
    assert cores == f"{len(os.sched_getaffinity(0))} cores" or cores == "1 core"


def test_the_machines_of_results_are_named() -> None:
    results = [example_result(machine=name) for name in ("A, 2 cores", None, "A, 2 cores")]
    assert provenance.measured_on(results) == "A, 2 cores (2); a machine that they don't name (1)"
    assert provenance.measured_on([]) == ""


def test_now_is_utc() -> None:
    now = datetime.fromisoformat(provenance.now())
    assert now.utcoffset() == timezone.utc.utcoffset(None)
    assert abs((datetime.now(timezone.utc) - now).total_seconds()) < 60
