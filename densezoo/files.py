"""Files that densezoo writes: replacing them whole, checking that there is room, and the formats of extensions."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from densezoo.errors import ConfigError, DensezooError, ResultError

#: {extension: the formats that may be written under it; the first one unless another is asked for}.
Extensions = Mapping[str, tuple[str, ...]]
PREDICTIONS: Extensions = {".parquet": ("parquet",)}
PLOT: Extensions = {".png": ("png",), ".pdf": ("pdf",), ".svg": ("svg",)}


def written_as(path: Path, kind: str, extensions: Extensions, requested: str | None = None) -> str:
    """The format that a file is written in, by its extension.

    Args:
        path: the file.
        kind: the kind of file, for messages: "checkpoint".
        extensions: the extensions of this kind of file, with their formats.
        requested: the format that the user asks for beside the name; None: the extension's first.

    Raises:
        ConfigError: the extension is none of its kind's, or has another format than the requested one.
    """
    extension = next((end for end in extensions if path.name.lower().endswith(end)), None)
    if extension is None:
        ends = ", ".join(
            f"{end} ({', '.join(formats)})" if formats != (end[1:],) else end for end, formats in extensions.items()
        )
        raise ConfigError(
            f"{path}: the extension says what is written: expected, for a {kind} file, {ends}; "
            f"found {path.suffix or 'none'}"
        )
    if requested is not None and requested not in extensions[extension]:
        fitting = [end for end, formats in extensions.items() if requested in formats]
        instead = f"name the file {' or '.join(fitting)}, or ask" if fitting else "ask"
        raise ConfigError(
            f"{path}: {extension} is for {', '.join(extensions[extension])}, not for {requested}, which was asked for; "
            f"{instead} for what its extension says"
        )
    return requested or extensions[extension][0]


@contextlib.contextmanager
def replacing(path: Path, error: Callable[[str], DensezooError] | None = None, *, sync: bool = False) -> Iterator[Path]:
    """Replace a file whole: a reader finds the old file or the new one, also after a kill; with ``sync``, a power cut.

    The block writes a hidden file beside ``path``, which takes its name when the block ends, with an ordinary file's
    permissions. On any error the hidden file is removed and ``path`` stays as it was. Only a kill leaves a hidden file
    behind.

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
    hidden = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(3).hex()}")
    try:
        mode = ordinary_mode(hidden)
        yield hidden
        if stat.S_IMODE(hidden.stat().st_mode) != mode:  # else it may be a disk that has no permissions
            hidden.chmod(mode)
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


def ordinary_mode(path: Path) -> int:
    """The permissions that a new file gets by the umask and its folder; safetensors and tempfile give 0600 to theirs.

    A file is made and removed: to read the umask is to change it, for all threads.

    Args:
        path: of a file that isn't there, in a folder that exists.

    Raises:
        OSError: it can't be made.
    """
    with open(path, "xb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    path.unlink()
    return mode


@contextlib.contextmanager
def making_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a folder whole or not at all: the block fills a hidden one beside it, which takes its name at the end.

    Args:
        path: the folder, in one that exists; it must not exist itself, unless it is empty.
        replace: take the place of a folder that is there; the caller knows what is lost.

    Yields:
        The hidden folder, empty.

    Raises:
        ConfigError: there is something of that name; it can't be written.
    """
    import shutil  # here, because listing the index doesn't need it

    if os.path.lexists(path) and not (path.is_dir() and (replace or not any(path.iterdir()))):
        raise ConfigError(f"{path}: is there already; expected the name of a new or an empty folder")
    folder = path.resolve()  # a link to a folder stays one
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}-{os.urandom(3).hex()}")
    former = hidden.with_name(f"{hidden.name}.former")
    try:
        hidden.mkdir()
        yield hidden
        if replace and folder.exists():
            os.replace(folder, former)
        os.replace(hidden, folder)
    except OSError as reason:
        raise ConfigError(f"{path}: can't be written ({reason.strerror or reason}); choose another folder") from None
    finally:
        if former.exists() and not os.path.lexists(folder):  # an error or an interrupt between the two renames
            os.replace(former, folder)
        if not hidden.exists():  # it has taken its name
            shutil.rmtree(former, ignore_errors=True)
        shutil.rmtree(hidden, ignore_errors=True)


def replaced_by(hidden: Path) -> Path | None:
    """The file that a kill kept a hidden one from replacing; None: it is no hidden file of `replacing`."""
    name = re.fullmatch(r"\.(.+)\.\d+-[0-9a-f]{6}", hidden.name)
    return hidden.with_name(name[1]) if name else None


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


def check_writable(folder: Path, size: int) -> None:
    """Refuse a folder that can't take files, before the work starts.

    Args:
        folder: where results will be stored; it is made if it doesn't exist.
        size: bytes that the files will take.

    Raises:
        ResultError: it is read-only, no folder, or the disk has no room.
    """
    import shutil  # here, because they are slow to import and listing the index needs neither
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ResultError(
            f"{folder}: results can't be stored there ({error.strerror}); choose another folder"
        ) from None
    if free < size:
        raise ResultError(
            f"{folder}: expected room for {size:,} bytes of state and results, found {free:,}; "
            "make room or choose another folder"
        )
