"""Files that densezoo writes: replaced whole, with room for them, and what their extensions stand for."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from densezoo.errors import ConfigError, DensezooError, ResultError

#: {extension: what may be written under it, the first unless another is asked for}.
Extensions = Mapping[str, tuple[str, ...]]
PREDICTIONS: Extensions = {".parquet": ("parquet",)}
PLOT: Extensions = {".png": ("png",), ".pdf": ("pdf",), ".svg": ("svg",)}


def written_as(path: Path, kind: str, known: Extensions, asked: str | None = None) -> str:
    """What is written into a file, by its extension.

    Args:
        path: the file.
        kind: what it is, for messages: "checkpoint".
        known: the extensions of its kind.
        asked: what the user asks for beside the name.

    Raises:
        ConfigError: another extension than those of its kind, or not one of what is asked for.
    """
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


@contextlib.contextmanager
def replacing(path: Path, error: Callable[[str], DensezooError] | None = None, *, sync: bool = False) -> Iterator[Path]:
    """Replace a file whole: a reader finds the old file or the new one, also after a kill; with ``sync``, a power cut.

    The block writes a hidden file beside ``path``, which takes its name when the block ends. On any error the hidden
    file is removed and ``path`` stays as it was. Only a kill leaves a hidden file behind.

    Args:
        path: the file to replace, in a folder that exists; it need not exist itself.
        error: makes the caller's exception of the operating system's reason ("No space left on device").
            None: OSErrors pass unchanged.
        sync: wait until the content is on the disk before it takes the name.

    Yields:
        The hidden file's path. The block creates it.

    Raises:
        OSError, or what ``error`` makes of it: no such folder, no room, no permission.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(3)}")
    try:
        yield hidden
        if sync:
            with open(hidden, "rb") as content:
                os.fsync(content.fileno())
        os.replace(hidden, path)
    except OSError as reason:
        if error is None:
            raise
        raise error(reason.strerror or str(reason)) from None
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file whole, and wait until it is on the disk.

    Args:
        path: the file; its folder exists.
        content: its new content; a text is written as UTF-8.

    Raises:
        OSError: no such folder, no room, no permission.
    """
    with replacing(path, sync=True) as hidden:
        hidden.write_bytes(content.encode() if isinstance(content, str) else content)
        hidden.chmod(0o644)  # results and documents are for all to read, whoever measured them


def check_writable(folder: Path, size: int) -> None:
    """Find out before the work starts whether a folder can take files.

    Args:
        folder: where results will be stored; made if need be.
        size: bytes that the files will take.

    Raises:
        ResultError: it is read-only, no folder, or the disk has no room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ResultError(f"{folder}: results can't be stored there ({error.strerror}); choose another --out") from None
    if free < size:
        raise ResultError(
            f"{folder}: expected room for {size:,} bytes of state and results, found {free:,}; "
            "make room or choose another --out"
        )
