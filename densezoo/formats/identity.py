"""A file's sha256, and what it is by its first bytes if it is no checkpoint. Needs no torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from densezoo.errors import CheckpointError

#: (first bytes of a file that is no checkpoint, what it is).
IMPOSTORS = [
    (b"<!doctype html", "an HTML page, saved in place of a download"),
    (b"<html", "an HTML page, saved in place of a download"),
    (b"<?xml", "an XML page (a download service's error?), saved in place of a download"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run 'git lfs pull'"),
    (b"{", "a JSON text (a download service's error, or the index of weights in several files?)"),
]

_FOLDED = "whose norms are as a rule folded into its convolutions; convert the file that it was made from"
_DESCRIPTION = "a network without its weights; expected the file that holds the weights"
_KERAS = "save it from there as .keras or .weights.h5"
#: (first bytes of a format that densezoo doesn't read, what it is and what to do).
FOREIGN = [
    (rb".{4}TFL3", f"a TensorFlow Lite model, {_FOLDED}"),
    (rb".{4}ORTM", f"an ONNX Runtime model, {_FOLDED}"),
    (rb"(<\?xml[^>]*>\s*)?<net ", f"an OpenVINO network, {_FOLDED}"),
    (rb"7767517\s", f"an ncnn network, {_FOLDED}"),
    (rb"\n.+Placeholder|node \{", f"a TensorFlow graph, {_FOLDED}"),
    (rb"\x08\x01\x12", f"a part of a TensorFlow SavedModel, or a Core ML model; {_KERAS}"),
    (rb"model_checkpoint_path:", "the list of a folder's TensorFlow checkpoints; give the .index of one"),
    (rb"\n.{1,5}\x08\0\x10\xff", "a Paddle program; expected the network's state_dict, saved as .pdparams"),
    (
        rb"[\x81-\x8f][\xa1-\xbf]\w",
        "a msgpack file, as Flax writes it; save its arrays by name as .npz or .safetensors",
    ),
    (rb"MATLAB \d", "a MATLAB file; export the network from MATLAB (exportONNXNetwork) and convert that"),
    (
        rb"\0{16}[^\0]\0{3}\x08[\x00-\x16]\x10",
        "the numbers of a Paddle graph for inference; expected the network's state_dict, saved as .pdparams",
    ),
    (rb"\{.*\"(nodes|class_name)\"", _DESCRIPTION),
    (rb"(name|input|layers?)\s*[:{]", _DESCRIPTION),
    (rb"\x93NUMPY", "one array of NumPy's; expected an .npz of arrays by name"),
    (rb"BZh|\xfd7zXZ|7z\xbc\xaf|Rar!", "a packed archive; unpack it first"),
]


def foreign(head: bytes) -> str | None:
    """What a file is, if its format is one that densezoo knows but doesn't read; else None.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
    """
    return next((title for signature, title in FOREIGN if re.match(signature, head, re.DOTALL)), None)


def foreign_folder(folder: Path) -> str | None:
    """What a folder is, if it is a TensorFlow model; else None.

    Args:
        folder: the folder.
    """
    if (folder / "saved_model.pb").exists():
        return f"a TensorFlow SavedModel; {_KERAS}"
    return f"a folder of TensorFlow checkpoints; {_KERAS}" if (folder / "checkpoint").exists() else None


def impostor(head: bytes) -> str | None:
    """What a file is, if it is one of the things that failed downloads leave in place of a checkpoint; else None.

    Args:
        head: the file's first 512 bytes, fewer of a shorter file.
    """
    start = head.lstrip().lower()
    return next((title for signature, title in IMPOSTORS if start.startswith(signature)), None)


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file, 64 hex digits.

    Args:
        path: the file.
    """
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def unchanged(path: str | Path) -> Iterator[str]:
    """Hold a file to be unchanged while the block runs.

    Args:
        path: the file.

    Yields:
        Its sha256, 64 hex digits; "" if it is no file, which the reader refuses.

    Raises:
        CheckpointError: it has another sha256 at the end, so that what was read may be of either content.
    """
    sha256 = file_sha256(path) if Path(path).is_file() else ""
    yield sha256
    if sha256 and (not Path(path).is_file() or file_sha256(path) != sha256):
        raise CheckpointError(
            f"{path}: was replaced while it was read (it had the sha256 {sha256[:16]}...); start again"
        )
