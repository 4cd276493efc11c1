"""The facts that are needed to repeat a measurement: package versions, commit, machine, time."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from densezoo.data.libraries import decoding_versions
from densezoo.types import EvalResult

PACKAGES = ("densezoo", "torch", "torchvision")  # whose versions can change a logit


def versions(further: Iterable[str] = ()) -> dict[str, str]:
    """{package: version} of all packages that can change a pixel or a logit, and of Python.

    Args:
        further: modules that a backend computes with, beside PACKAGES.
    """
    packages = {name: metadata.version(name) for name in PACKAGES}
    for name in further:  # a distribution of another name, such as onnxruntime-gpu, may have the module
        packages[name] = str(getattr(importlib.import_module(name), "__version__", "unknown"))
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


def machine(device: str) -> str:
    """The machine as a result names it: the GPU's or the CPU's model and the number of cores that this process may use.

    Args:
        device: that the network runs on.
    """
    count = f"{cores()} core{'s' if cores() > 1 else ''}"
    if device.startswith("cuda"):
        import torch

        return f"{torch.cuda.get_device_name(device)}, {cpu()}, {count}"
    return f"{cpu()}, {count}"


def measured_on(results: Iterable[EvalResult]) -> str:
    """The machines of results and how many were measured on each: "AMD EPYC, 2 cores (5)"; "" for no results."""
    counts = Counter(result.machine or "a machine that they don't name" for result in results)
    return "; ".join(f"{name} ({number})" for name, number in counts.most_common())


def cpu() -> str:
    """The CPU's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, models), "") or platform.processor() or platform.machine()


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _git(repository: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
