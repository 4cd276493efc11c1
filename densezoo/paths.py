"""Where the configs, metafiles and results lie (beside the package in a clone, inside it in a wheel), and the cache."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# The wheel carries them all under .mim/, where OpenMIM looks for its own model-index.yml and for configs.
CLONE = (PACKAGE.parent / "model-index.yml").is_file()
ROOT = PACKAGE.parent if CLONE else PACKAGE / ".mim"
INDEX = ROOT / ("model-index.yml" if CLONE else "densezoo-index.yml")
#: What is measured goes into the repository in a clone, and otherwise into the current folder, not into site-packages.
RESULTS = ROOT / "results" if CLONE else Path("results")


def cache_folder() -> Path:
    """``DENSEZOO_HOME``, or ``densezoo`` in the user's cache directory (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    home = os.environ.get("DENSEZOO_HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(home) if home else Path(cache) / "densezoo").expanduser().absolute()


def relative_to_root(path: Path) -> str:
    """The path as it is written in results and messages: relative to the repository where it lies in it."""
    return _relative_to_root(path.absolute())


@cache
def _relative_to_root(path: Path) -> str:
    """The same of an absolute path: the index asks for each metafile and config many times."""
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
