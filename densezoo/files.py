"""Files that a user names as output: the extension says what is written into them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from densezoo.errors import ConfigError

_TORCH = ("torchvision", "timm", "mmpretrain")
#: {kind of file: {extension: what may be written under it, the first unless another is asked for}}.
EXTENSIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "checkpoint": {
        ".safetensors": ("densezoo",),
        ".pth": _TORCH,
        ".pt": _TORCH,
        ".pth.tar": _TORCH,
        ".bin": _TORCH,
        ".onnx": ("onnx",),
        ".keras": ("keras",),
    },
    "predictions": {".parquet": ("parquet",)},
    "plot": {".png": ("png",), ".pdf": ("pdf",), ".svg": ("svg",)},
}


def written_as(path: Path, kind: str, asked: str | None = None) -> str:
    """What is written into a file, by its extension.

    Args:
        kind: a key of EXTENSIONS.
        asked: what the user asks for beside the name.

    Raises:
        ConfigError: another extension than those of its kind, or not one of what is asked for.
    """
    known = EXTENSIONS[kind]
    extension = next((end for end in known if path.name.lower().endswith(end)), None)
    if extension is None:
        ends = ", ".join(f"{end} ({', '.join(made)})" if made != (end[1:],) else end for end, made in known.items())
        raise ConfigError(
            f"{path}: the extension says what is written: expected, for a {kind} file, {ends}; "
            f"found {path.suffix or 'none'}"
        )
    if asked is not None and asked not in known[extension]:
        fitting = [end for end, made in known.items() if asked in made]
        raise ConfigError(
            f"{path}: {extension} is for {', '.join(known[extension])}, not for {asked}, which was asked for; "
            f"name the file {' or '.join(fitting)}, or ask for what its extension says"
        )
    return asked or known[extension][0]
