"""The facts that are needed to repeat a measurement: package versions, commit, time."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from densezoo.data.libraries import decoding_versions

PACKAGES = ("densezoo", "torch", "torchvision")  # whose versions can change a logit


def versions() -> dict[str, str]:
    """{package: version} of all packages that can change a pixel or a logit, and of Python."""
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages, **decoding_versions()}


def commit(repository: Path) -> str | None:
    """The current commit of a repository, with ``+dirty`` if tracked files are changed; None if it is no clone.

    Args:
        repository: its folder.
    """
    head = _git(repository, "rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+dirty" if _git(repository, "status", "--porcelain", "--untracked-files=no") else "")


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _git(repository: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
