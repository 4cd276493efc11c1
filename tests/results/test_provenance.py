from __future__ import annotations

import subprocess
from datetime import datetime, timezone
from pathlib import Path

import torch
from examples import example_result

from densezoo.results import provenance
from densezoo.results.summary import summary


def test_versions_are_the_installed_ones() -> None:
    assert provenance.versions()["torch"] == torch.__version__.partition("+")[0]
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


def test_now_is_utc() -> None:
    now = datetime.fromisoformat(provenance.now())
    assert now.utcoffset() == timezone.utc.utcoffset(None)
    assert abs((datetime.now(timezone.utc) - now).total_seconds()) < 60


def test_the_summary_says_it_all() -> None:
    assert summary(example_result()).splitlines() == [
        "densenet121.tv_in1k on imagenet1k, protocol torchvision",
        "  top-1  74.43 %  (95 % interval 74.05 to 74.81)  37217 of 50000 images",
        "  top-5  91.97 %  (95 % interval 91.73 to 92.21)  45986 of 50000 images",
        "  50,000 images in 1234.5 s (41 images/s), eager float32 on cpu",
    ]
