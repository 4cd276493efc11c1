"""Where the configs, metafiles and results lie: beside the package in a clone, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# The wheel carries model-index.yml, metafiles/, configs/ and tools/ under .mim/, where OpenMIM looks for them.
ROOT = PACKAGE.parent if (PACKAGE.parent / "model-index.yml").is_file() else PACKAGE / ".mim"


def relative_to_root(path: Path) -> str:
    """The path as it is written in results and messages: relative to the repository where it lies in it."""
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
