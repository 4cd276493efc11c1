"""What a measurement has to name so that it can be repeated: package versions, commit, time."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from densezoo.data.libraries import decoding_versions

PACKAGES = ("densezoo", "torch", "torchvision")  # those that can move a logit


def versions() -> dict[str, str]:
    """{package: version} of all that can move a pixel or a logit, and Python's."""
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages, **decoding_versions()}


def commit(repository: Path) -> str | None:
    """The commit that a repository is at, ``+dirty`` with changed tracked files; None where it is no clone."""
    found = _git(repository, "rev-parse", "HEAD")
    if found is None:
        return None
    return found + ("+dirty" if _git(repository, "status", "--porcelain", "--untracked-files=no") else "")


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _git(repository: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
