"""Where configs, metafiles and results lie (in a clone beside the package, in a wheel inside it), and the cache."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# The wheel carries them all under .mim/, where OpenMIM looks for model-index.yml, which is made of our metafiles.
CLONE = (PACKAGE.parent / "model-index.yml").is_file()
ROOT = PACKAGE.parent if CLONE else PACKAGE / ".mim"
INDEX = ROOT / "metafiles" / "index.yml"
#: What is measured goes into the repository in a clone, and otherwise into the current folder, not into site-packages.
RESULTS = ROOT / "results" if CLONE else Path("results")


#: The environment variable that names a private index: a model-index.yml, or the folder that one is in.
PRIVATE = "DENSEZOO_INDEX"


def private_index() -> Path | None:
    """The index that PRIVATE names, absolute; None: it names none, or densezoo's own, which is there anyway."""
    given = os.environ.get(PRIVATE)
    if not given:
        return None
    path = Path(given).expanduser().resolve()
    path = path / "model-index.yml" if path.is_dir() else path
    return None if path == INDEX.resolve() else path


def results_folder() -> Path:
    """Where measurements go: ``results`` beside the private index where there is one, or else RESULTS."""
    index = private_index()
    return RESULTS if index is None else index.parent / "results"


def cache_folder() -> Path:
    """``DENSEZOO_HOME``, or ``densezoo`` in the user's cache directory (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    home = os.environ.get("DENSEZOO_HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(home) if home else Path(cache) / "densezoo").expanduser().absolute()


def sklearn_sample(name: str) -> Path:
    """The path of one of the sample files that scikit-learn carries, found without the second that importing it takes.

    Args:
        name: the path below scikit-learn's folder ``datasets``, with slashes.
    """
    package = find_spec("sklearn")
    assert package is not None, "densezoo depends on scikit-learn"
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0], "datasets", name)


def relative_to_root(path: Path) -> str:
    """The path as it is written in results and messages: relative to the repository where it lies in it."""
    return _relative_to_root(os.path.join(os.getcwd(), path))


@cache
def _relative_to_root(path: str) -> str:
    """The same of an absolute path: the index asks for each metafile and config many times."""
    return os.path.realpath(path).removeprefix(f"{ROOT}{os.sep}")
